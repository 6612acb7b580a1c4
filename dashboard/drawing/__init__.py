"""From answers to pictures: pure steps, and the one module that mounts them."""
