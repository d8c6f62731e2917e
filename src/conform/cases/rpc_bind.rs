//! Binding: what is offered, what is agreed on (C706 section 12.6.4.3; MS-RPCE 3.3.1.5.6).

use crate::conform::accept::{Then, Want, ok};
use crate::conform::{Case, Level, NO_SYNTAX};
use crate::wire::rpc::{Flags, SyntaxId};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/bind/unknown-transfer-syntax",
        Level::Win,
        "a transfer syntax nobody knows",
        "A context whose transfer syntaxes are all unknown is refused with (2,2), and the connection goes on.",
        "Samba raw protocol tests; MS-RPCE 2.2.2.4",
        |t| {
            t.connect()?;
            let offered = t.offer(vec![t.context(0, &[NO_SYNTAX])]);
            t.send_bind(Flags::WHOLE, &offered);
            t.expect("the bind", &[ok(Want::Ack(&[(2, 2)]), Then::Open)]);
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/second-bind",
        Level::Win,
        "a bind on a connection that is bound",
        "A second bind on a connection is refused with a bind_nak, and the connection closed.",
        "Samba raw protocol tests",
        |t| {
            t.bind()?;
            let offered = t.offer(vec![t.context(1, &[SyntaxId::NDR32])]);
            t.send_bind(Flags::WHOLE, &offered);
            t.expect("the second bind", &[ok(Want::Nak(&[0]), Then::Closed)]);
            Ok(())
        },
    ),
];
