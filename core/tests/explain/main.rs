//! What explanations say is what picks do.

mod foretold;
mod world;
