//! Faults of the address a host names when it is bound to.

use super::{Fault, Install};
use crate::wire::rpc::Ptype;

pub(super) static FAULTS: &[Fault] = &[Fault {
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
}];
