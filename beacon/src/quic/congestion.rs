//! placeholder
pub type Steady = quinn::congestion::Bbr;
pub type SteadyConfig = quinn::congestion::BbrConfig;
