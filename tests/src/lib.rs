//! Drivers, simulation and fixtures shared by the test rings.

pub mod proxy;
