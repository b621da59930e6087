//! A real gateway under load, for the tests and for `make soak`: a process that can be killed and started again,
//! deliveries at full speed, listeners that resume, crowds of them, and what came out as figures.

pub(crate) mod caller;
pub(crate) mod crowd;
pub(crate) mod figures;
pub(crate) mod gateway;
pub(crate) mod listener;
pub(crate) mod process;
pub(crate) mod socket;
pub(crate) mod storm;

pub(crate) use crowd::Crowd;
pub(crate) use figures::Figures;
pub(crate) use gateway::Gateway;
pub(crate) use storm::Storm;
