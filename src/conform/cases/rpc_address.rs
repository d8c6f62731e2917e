//! The address a host names when it is bound to.

use crate::conform::{Case, Level, Stop};

pub(super) static CASES: &[Case] = &[Case::new(
    "rpc/bind/address-of-each-connection",
    Level::Win,
    "the secondary address of connections side by side",
    "The secondary address is the port that was connected to, on every connection, however many are open.",
    "Samba raw protocol tests",
    |t| {
        if t.port() == 0 {
            return Err(Stop::NotApplicable("the port is not known".to_owned()));
        }
        for _ in 0..3 {
            let ack = t.bind()?;
            let address = String::from_utf8_lossy(&ack.secondary_address).into_owned();
            t.field("secondary_address", format!("{}\0", t.port()), address);
        }
        Ok(())
    },
)];
