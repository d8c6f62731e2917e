//! Faults of what a client is told to do next (protocol description, section 5).

use crate::lab::fault::{Fault, Install};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "says-never",
        does: "Answers with an activation and a renewal interval of 0 minutes.",
        hurts: "Every client: what it does next is its own guess, from asking without end to never again.",
        caught_by: &[],
        install: Install::Answers(|host, _| {
            host.write(|response| (response.activation_interval_min, response.renewal_interval_min) = (0, 0));
        }),
    },
    Fault {
        name: "shouts-at-clients",
        does: "Answers with an activation and a renewal interval of one minute, where 15 is the least.",
        hurts: "The network and the host: every client asks again every minute.",
        caught_by: &[],
        install: Install::Answers(|host, _| {
            host.write(|response| (response.activation_interval_min, response.renewal_interval_min) = (1, 1));
        }),
    },
];
