//! Where faults of the wire hang their functions: between the honest host and its connections.
//!
//! Each PDU passes on its way in and on its way out, and may be changed, held back, swallowed or
//! replaced there. What a function has to remember of a connection stands in its [`Scene`].

mod fields;

use std::fmt;
use std::time::Duration;

use crate::proto::HostConfig;
use crate::wire::rpc::Ptype;

pub use fields::{Fields, fault_of};

/// What stands between a host and its wire; with an honest host, nothing.
pub struct Tamper {
    shapes: Vec<Shape>,
    segments: Vec<Seg>,
    incoming: Vec<In>,
    outgoing: Vec<Out>,
    leaving: Vec<Leave>,
    /// The fault whose functions are hung up just now.
    fault: usize,
    kept: Kept,
    /// How long a connection may be silent.
    pub idle_max: Duration,
}

type Shape = Box<dyn FnMut(&mut HostConfig) + Send>;
type Seg = Of<dyn FnMut(&mut Segment<'_>) + Send>;
type Leave = Of<dyn FnMut(&mut Leaving<'_>) + Send>;
type In = Of<dyn FnMut(&mut Incoming<'_>) + Send>;
type Out = Of<dyn FnMut(&mut Outgoing<'_>) + Send>;

/// A function, and the fault it is of.
struct Of<F: ?Sized> {
    fault: usize,
    change: Box<F>,
}

/// What a host holds on to that it has no use for any more; with an honest host, nothing.
#[derive(Debug, Default)]
pub struct Kept {
    /// Files.
    pub files: Vec<std::fs::File>,
    /// Memory.
    pub bytes: Vec<u8>,
}

impl Default for Tamper {
    fn default() -> Tamper {
        Tamper {
            shapes: Vec::new(),
            segments: Vec::new(),
            incoming: Vec::new(),
            outgoing: Vec::new(),
            leaving: Vec::new(),
            fault: 0,
            kept: Kept::default(),
            idle_max: IDLE_MAX,
        }
    }
}

/// One connection, as far as it has come.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// Connections before it.
    pub number: u64,
    /// Other connections that are open.
    pub others: usize,
    /// PDUs that came before this one.
    pub pdus: u64,
    /// Requests that came before this one.
    pub requests: u64,
    /// Whether a bind was accepted.
    pub bound: bool,
    /// Whatever the fault wants to remember of it whose function looks at it; another fault finds its own note here.
    pub note: u64,
    /// What each fault remembers of it.
    notes: Vec<u64>,
    /// At which of the host's addresses it was made, from 0.
    pub address: usize,
    /// Whether more came together with the PDU that is looked at.
    pub behind: bool,
    /// Whether it stays open where an honest host closes it.
    pub stays_open: bool,
    /// Whether answers that did not go out yet are dropped when the client sends nothing more.
    pub drops_on_half_close: bool,
}

impl Scene {
    /// Of a connection just made at the host's address of that number: so many were before it, and so many are open.
    pub(super) fn new(number: u64, address: usize, others: usize) -> Scene {
        Scene { number, address, others, ..Scene::default() }
    }

    fn open_notes_of(&mut self, fault: usize) {
        self.note = self.notes.get(fault).copied().unwrap_or_default();
    }

    fn close_notes_of(&mut self, fault: usize) {
        if self.notes.len() <= fault {
            self.notes.resize(fault + 1, 0);
        }
        self.notes[fault] = self.note;
    }
}

/// Bytes as they came in, in one piece.
#[derive(Debug)]
pub struct Segment<'a> {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What came before them and is not a whole PDU.
    pub pending: &'a [u8],
    /// Their connection.
    pub scene: &'a mut Scene,
    /// What becomes of them.
    pub fate: Fate,
}

/// A connection that its client has left.
#[derive(Debug)]
pub struct Leaving<'a> {
    /// The connection.
    pub scene: &'a mut Scene,
    /// Whether it ended in the middle of a PDU.
    pub is_cut_off: bool,
    /// Whether it was broken off with a RST.
    pub is_reset: bool,
    /// Whether the host is gone then, for good.
    pub kills: bool,
    /// What the host holds on to.
    pub kept: &'a mut Kept,
}

/// A PDU on its way to the host.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// The PDU.
    pub frame: Vec<u8>,
    /// Its connection.
    pub scene: &'a mut Scene,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a PDU that came in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fate {
    /// The host gets it.
    #[default]
    Passes,
    /// Nobody does.
    Vanishes,
    /// The connection is closed in its place.
    Closes(End),
    /// This is answered in the host's place.
    Answered(Vec<u8>),
    /// The host is gone, for good.
    Kills,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a FIN, when everything was sent.
    Finish,
    /// With a RST.
    Reset,
}

/// A PDU on its way to the client.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The PDU it answers, as it came in.
    pub asked: &'a [u8],
    /// The PDU. What is appended goes out after it; when it is empty, nothing goes out.
    pub frame: Vec<u8>,
    /// Its connection.
    pub scene: &'a mut Scene,
    /// How long it is held back.
    pub wait: Duration,
    /// In pieces of so many bytes; 0 for one piece.
    pub pieces: usize,
    /// Whether it goes out in one piece with what goes out just before it.
    pub joins: bool,
    /// What happens to the connection after it.
    pub end: Option<End>,
    /// How long after it, while nothing more is read.
    pub lingers: Duration,
}

/// Where faults hang their functions.
impl Tamper {
    /// What is hung up from now on is another fault's.
    pub(super) fn next_fault(&mut self) {
        self.fault += 1;
    }

    /// What a new connection is like.
    pub fn shape(&mut self, shape: impl FnMut(&mut HostConfig) + Send + 'static) {
        self.shapes.push(Box::new(shape));
    }

    /// What becomes of bytes as they come in, before they are cut into PDUs.
    pub fn on_segment(&mut self, change: impl FnMut(&mut Segment<'_>) + Send + 'static) {
        self.segments.push(Of { fault: self.fault, change: Box::new(change) });
    }

    /// What becomes of the host when a connection ends.
    pub fn on_leaving(&mut self, change: impl FnMut(&mut Leaving<'_>) + Send + 'static) {
        self.leaving.push(Of { fault: self.fault, change: Box::new(change) });
    }

    /// What becomes of each PDU that comes in.
    pub fn on_way_in(&mut self, change: impl FnMut(&mut Incoming<'_>) + Send + 'static) {
        self.incoming.push(Of { fault: self.fault, change: Box::new(change) });
    }

    /// What becomes of each PDU that goes out.
    pub fn on_way_out(&mut self, change: impl FnMut(&mut Outgoing<'_>) + Send + 'static) {
        self.outgoing.push(Of { fault: self.fault, change: Box::new(change) });
    }

    /// What becomes of each PDU of a kind that goes out.
    pub fn on_way_out_of(&mut self, ptype: Ptype, mut change: impl FnMut(&mut Outgoing<'_>) + Send + 'static) {
        self.on_way_out(move |out| {
            if out.ptype() == Some(ptype) {
                change(out);
            }
        });
    }

    /// What becomes of each PDU of a kind that comes in.
    pub fn on_way_in_of(&mut self, ptype: Ptype, mut change: impl FnMut(&mut Incoming<'_>) + Send + 'static) {
        self.on_way_in(move |incoming| {
            if incoming.ptype() == Some(ptype) {
                change(incoming);
            }
        });
    }
}

/// What whoever carries bytes asks.
impl Tamper {
    pub(super) fn is_idle(&self) -> bool {
        self.incoming.is_empty() && self.outgoing.is_empty() && self.segments.is_empty() && self.leaving.is_empty()
    }

    pub(super) fn shaped(&mut self, mut config: HostConfig) -> HostConfig {
        self.shapes.iter_mut().for_each(|shape| shape(&mut config));
        config
    }

    pub(super) fn segment<'a>(&mut self, bytes: &[u8], pending: &'a [u8], scene: &'a mut Scene) -> Segment<'a> {
        let mut segment = Segment { bytes: bytes.to_vec(), pending, scene, fate: Fate::Passes };
        for Of { fault, change } in &mut self.segments {
            if segment.fate == Fate::Passes {
                segment.scene.open_notes_of(*fault);
                change(&mut segment);
                segment.scene.close_notes_of(*fault);
            }
        }
        segment
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Whether the end of a connection is the end of the host.
    pub(super) fn left(&mut self, scene: &mut Scene, is_cut_off: bool, is_reset: bool) -> bool {
        let mut leaving = Leaving { scene, is_cut_off, is_reset, kills: false, kept: &mut self.kept };
        for Of { fault, change } in &mut self.leaving {
            leaving.scene.open_notes_of(*fault);
            change(&mut leaving);
            leaving.scene.close_notes_of(*fault);
        }
        leaving.kills
    }

    pub(super) fn came_in<'a>(&mut self, frame: &[u8], scene: &'a mut Scene) -> Incoming<'a> {
        let mut incoming = Incoming { frame: frame.to_vec(), scene, fate: Fate::Passes };
        for Of { fault, change } in &mut self.incoming {
            if incoming.fate == Fate::Passes {
                incoming.scene.open_notes_of(*fault);
                change(&mut incoming);
                incoming.scene.close_notes_of(*fault);
            }
        }
        incoming
    }

    pub(super) fn goes_out<'a>(&mut self, asked: &'a [u8], frame: &[u8], scene: &'a mut Scene) -> Outgoing<'a> {
        let mut out = Outgoing {
            asked,
            frame: frame.to_vec(),
            scene,
            wait: Duration::ZERO,
            pieces: 0,
            joins: false,
            end: None,
            lingers: Duration::ZERO,
        };
        for Of { fault, change } in &mut self.outgoing {
            out.scene.open_notes_of(*fault);
            change(&mut out);
            out.scene.close_notes_of(*fault);
        }
        out
    }
}

impl Segment<'_> {
    /// What is there of the PDU that came last, with what came before.
    pub fn so_far(&self) -> Vec<u8> {
        [self.pending, &self.bytes].concat()
    }
}

impl fmt::Debug for Tamper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tamper")
            .field("incoming", &self.incoming.len())
            .field("outgoing", &self.outgoing.len())
            .finish_non_exhaustive()
    }
}

/// How long a connection of an honest host may be silent.
const IDLE_MAX: Duration = Duration::from_secs(60);
