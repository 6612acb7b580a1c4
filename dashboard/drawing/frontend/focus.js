// The focus survives a refresh: what is made anew has it if what it replaces had it. Else whoever uses the
// keyboard would begin at the top of the page again, each second.

// Runs `update` on what is below `root`, and returns what it returns.
export function keepingFocus(root, update) {
  const tree = root.getRootNode();
  const focused = tree.activeElement;
  if (!focused || !root.contains(focused)) return update();
  const trail = trailOf(root, focused);
  const place = placeOf(root, focused);
  const result = update();
  if (tree.activeElement === focused) return result;
  const next = focused.isConnected ? focused : sameOf(root, place);
  // Without its like, keys go on at what it was in, unless the view has found a place itself.
  if (next) next.focus({ preventScroll: true });
  else if (!root.contains(tree.activeElement)) homeOf(root, trail)?.focus({ preventScroll: true });
  return result;
}

function trailOf(root, node) {
  const trail = [];
  for (let at = node; at !== root; at = at.parentElement) trail.push(at);
  return trail;
}

// What an element is called: by its target, or what it is about, else by its text. Figures may change.
function nameOf(node) {
  const { href, ref } = { href: node.getAttribute("href"), ref: node.dataset.ref };
  return href || ref || (node.getAttribute("aria-label") || node.textContent).replace(/[\d.,]+/g, "0");
}

// Where an element is: of which kind, in which labelled things, and its name.
function placeOf(root, node) {
  const labels = trailOf(root, node).map((one) => one.getAttribute("aria-label") || one.dataset.ref);
  const around = labels.slice(1).filter(Boolean);
  return [node.localName, node.getAttribute("class"), nameOf(node), ...around].join("\n");
}

function sameOf(root, place) {
  const [tag] = place.split("\n");
  return [...root.querySelectorAll(tag)].find((node) => placeOf(root, node) === place);
}

// The nearest thing around it that can have the focus, or what has taken the place of that.
function homeOf(root, trail) {
  const around = trail.slice(1).find((node) => node.hasAttribute("tabindex"));
  if (!around || around.isConnected) return around;
  const label = around.getAttribute("aria-label");
  const alike = [...root.querySelectorAll(`${around.localName}[tabindex]`)];
  return alike.find((node) => node.getAttribute("aria-label") === label);
}
