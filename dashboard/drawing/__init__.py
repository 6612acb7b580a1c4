"""From answers to pictures: pure steps, and the one module that puts them into a page."""
