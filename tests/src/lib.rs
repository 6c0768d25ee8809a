//! Drivers, simulation and fixtures shared by the test rings.

pub mod batches;
pub mod sim_disk;
