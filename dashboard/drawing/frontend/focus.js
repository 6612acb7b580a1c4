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
  else if (!root.contains(tree.activeElement)) nearest(trail)?.focus({ preventScroll: true });
  return result;
}

function trailOf(root, node) {
  const trail = [];
  for (let at = node; at !== root; at = at.parentElement) trail.push(at);
  return trail;
}

function nearest(trail) {
  return trail.find((node) => node.isConnected && (node.tabIndex >= 0 || node.hasAttribute("tabindex")));
}

// What an element is called: by its target, or what it is about, else by its text.
function nameOf(node) {
  return node.getAttribute("href") || node.dataset.ref || node.getAttribute("aria-label") || node.textContent;
}

// Where an element is: in which labelled things, which one of its kind there, and its name.
function placeOf(root, node) {
  const around = aroundOf(root, node);
  const place = { tag: node.localName, kind: node.getAttribute("class"), around, name: nameOf(node) };
  const alike = likeOf(root, place);
  return { ...place, count: alike.length, at: alike.indexOf(node) };
}

function aroundOf(root, node) {
  const labels = trailOf(root, node)
    .slice(1)
    .map((one) => one.getAttribute("aria-label") || one.dataset.ref);
  return labels.filter(Boolean).join("\n");
}

function likeOf(root, { tag, kind, around }) {
  const same = (node) => node.getAttribute("class") === kind && aroundOf(root, node) === around;
  return [...root.querySelectorAll(tag)].filter(same);
}

function sameOf(root, place) {
  const alike = likeOf(root, place);
  const same = alike.find((node) => nameOf(node) === place.name);
  return same || (alike.length === place.count ? alike[place.at] : undefined);
}
