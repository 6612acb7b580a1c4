"""From answers to pictures: pure functions, and the one module that puts pictures on a page."""
