//! What KMS is asked in a talk, and by whom.

use super::Talk;
use crate::catalog::{self, Product};
use crate::client::Machine;
use crate::client::identity::{ClientId, Index, workstation_name};
use crate::proto::{Answer, Ask};
use crate::wire::kms::{ActivationRequest, ProtocolVersion, WorkstationName};
use crate::wire::ndr::RequestStub;
use crate::wire::rpc::{Flags, TransferSyntax};

/// What KMS is asked.
impl Talk<'_> {
    /// A machine of the fixed pool: number 0 is the one that ordinary calls are of.
    pub fn machine(&self, number: u32) -> Machine {
        self.machine_with(number, catalog::find(self.service().product).expect("the catalogue has it"))
    }

    /// The same, that wants another product.
    pub fn machine_with(&self, number: u32, product: &Product) -> Machine {
        let index = Index::new(number).expect("a case has few clients");
        let name = WorkstationName::new(&workstation_name("conform", index)).expect("it is short");
        Machine::new(format!("conform {}", number + 1), ClientId::pool(index), name, product, self.host.wall())
    }

    /// What an ordinary client asks in this version, changed.
    pub fn ask(&mut self, version: ProtocolVersion, change: impl FnOnce(&mut ActivationRequest)) -> Ask {
        let now = self.host.wall();
        let mut request = self.machine(self.clients).request(version, now, now);
        change(&mut request);
        let iv = self.shared.randomness.next_iv();
        Ask::new(request, iv)
    }

    /// Another IV.
    pub fn iv(&mut self) -> [u8; 16] {
        self.shared.randomness.next_iv()
    }

    /// What the last answer to an ask said; none when it was no answer.
    pub fn told(&self) -> Option<&Answer> {
        self.told.as_ref()
    }

    /// Sends an ask over the current connection, and says its call id.
    pub fn send_ask(&mut self, ask: &Ask) -> u32 {
        self.send_payload(ask.payload(), Some(ask.clone()))
    }

    /// Sends an envelope over the current connection, and says its call id. `ask` is what it asks, if that can be read.
    pub fn send_payload(&mut self, payload: &[u8], ask: Option<Ask>) -> u32 {
        let syntax = self.syntax_of(0).unwrap_or(TransferSyntax::Ndr32);
        let stub = RequestStub { payload }.encode(syntax);
        let call_id = self.next_call_id();
        let frame = self.frame_of(call_id, Flags::WHOLE, 0, &stub);
        self.send_frame(&frame, ask)
    }
}
