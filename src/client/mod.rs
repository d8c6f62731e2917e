//! One simulated machine: who it says it is and what it concludes. No sockets,
//! no clock of its own.

pub mod identity;
