// The pattern of waiting bars.

import { sv } from "./elements.js";

export function hatch() {
  const props = {
    id: "hatch",
    width: 5,
    height: 5,
    patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)",
  };
  return sv("pattern", props, sv("rect", { class: "hatchline", width: 2.6, height: 5 }));
}
