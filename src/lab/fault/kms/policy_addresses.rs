//! Faults of the addresses a host listens at, and of the one it names when it is bound to.

use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate};
use crate::wire::Guid;
use crate::wire::rpc::Ptype;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "counts-each-address-apart",
        does: "Keeps a count of its own for each address it listens at.",
        hurts: "Networks that speak IPv4 and IPv6: each half is too small, and nobody is activated.",
        caught_by: &["kms/policy/every-address#count"],
        install: Install::Answers(|host, _| {
            host.table_of(|caller, table| Guid::from_u128(table.as_u128() ^ caller.arrival.address as u128));
        }),
    },
    Fault {
        name: "closes-at-other-addresses",
        does: "Closes on every bind at any address but its first.",
        hurts: "Clients that take the other address of its name: the host is there, and is none.",
        caught_by: &["kms/policy/every-address#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |incoming| {
                if incoming.scene.address > 0 {
                    incoming.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "names-port-135-when-shared",
        does: "Names the port of the endpoint mapper as its secondary address while other connections are open.",
        hurts: "Clients that connect again to where a bind_ack sends them: nobody listens there, or somebody else.",
        caught_by: &["rpc/bind/address-of-each-connection#secondary_address", "rpc/bind/secondary-address"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                if out.scene.others > 0 {
                    out.change_ack(|ack| ack.secondary_address = b"135\0".to_vec());
                }
            });
        }),
    },
];
