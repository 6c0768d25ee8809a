//! A node's place in the world.
