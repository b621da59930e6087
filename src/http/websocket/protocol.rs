//! The protocol as a machine: messages in, one action out, no socket and no clock.
//!
//! Invariants: nothing starts before the credential was accepted; an id stands for at most one running operation;
//! of an operation that the client completed, or that has ended, nothing more is said. Not here: time-outs and
//! bytes, which are the driver's.

use std::{collections::HashMap, sync::Arc};

use serde_json::value::RawValue;

use super::{
    close::Close,
    message::{self, ClientMessage, Dialect},
};
use crate::graphql::{Answer, Call, Code, Failure};

/// Tells two operations apart that had the same id, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Serial(u64);

/// An operation's two names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) id: Arc<str>,
    pub(super) serial: Serial,
}

/// What the driver is to do.
#[derive(Debug)]
pub(super) enum Action {
    /// Nothing.
    Wait,
    /// Check the credential, then say [`Machine::admit`].
    Admit(Option<Box<RawValue>>),
    /// Write this.
    Send(String),
    /// Begin this operation.
    Start(Name, Call),
    /// End this operation, and say no more of it.
    Stop(Serial),
    /// Close the socket.
    Close(Close),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No `connection_init` yet.
    Connected,
    /// The credential is being checked.
    Admitting,
    /// Operations may run.
    Open,
}

/// One socket's protocol.
#[derive(Debug)]
pub(super) struct Machine {
    dialect: Dialect,
    phase: Phase,
    running: HashMap<Arc<str>, Serial>,
    most: usize,
    next: u64,
}

impl Machine {
    /// A socket that may have `most` operations at once.
    pub(super) fn new(dialect: Dialect, most: usize) -> Self {
        Self { dialect, phase: Phase::Connected, running: HashMap::new(), most, next: 0 }
    }

    /// A text message came.
    pub(super) fn receive(&mut self, text: &str) -> Action {
        let message = match message::parse(self.dialect, text) {
            Ok(message) => message,
            Err(reason) => return Action::Close(Close::invalid(reason)),
        };
        match message {
            ClientMessage::Init(payload) if self.phase == Phase::Connected => {
                self.phase = Phase::Admitting;
                Action::Admit(payload)
            }
            ClientMessage::Init(_) => Action::Close(Close::TOO_MANY_INITS),
            ClientMessage::Ping(payload) => Action::Send(message::pong(payload.as_deref())),
            ClientMessage::Pong => Action::Wait,
            ClientMessage::Leave => Action::Close(Close::LEFT),
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, &payload),
            ClientMessage::Complete { id } => {
                self.running.remove(id.as_str()).map_or(Action::Wait, Action::Stop)
            }
        }
    }

    /// The credential was checked.
    pub(super) fn admit(&mut self, accepted: bool) -> Action {
        if !accepted {
            return Action::Close(Close::FORBIDDEN);
        }
        self.phase = Phase::Open;
        Action::Send(message::ACK.to_owned())
    }

    /// Whether what an operation says is still wanted.
    pub(super) fn is_running(&self, name: &Name) -> bool {
        self.running.get(&name.id) == Some(&name.serial)
    }

    /// An operation ended by itself. False when nobody wants to know any more.
    pub(super) fn finish(&mut self, name: &Name) -> bool {
        let wanted = self.is_running(name);
        if wanted {
            self.running.remove(&name.id);
        }
        wanted
    }

    fn subscribe(&mut self, id: String, payload: &RawValue) -> Action {
        if self.phase != Phase::Open {
            return Action::Close(Close::UNAUTHORIZED);
        }
        if self.running.contains_key(id.as_str()) {
            return Action::Close(Close::DUPLICATE_ID);
        }
        let call = match message::call(payload) {
            Ok(call) => call,
            Err(failure) if failure.code == Code::BadUserInput => {
                return Action::Close(Close::invalid(format!("Invalid message: {}", failure.message)));
            }
            Err(failure) => return self.refuse(&id, failure),
        };
        if self.running.len() >= self.most {
            let message = format!("{} operations run on this socket already: end one first", self.most);
            return self.refuse(&id, Failure::new(Code::RateLimited, message));
        }
        let name = Name { id: id.into(), serial: Serial(self.next) };
        self.next += 1;
        self.running.insert(Arc::clone(&name.id), name.serial);
        Action::Start(name, call)
    }

    fn refuse(&self, id: &str, failure: Failure) -> Action {
        Action::Send(message::error(self.dialect, id, &Answer::refused(failure)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INIT: &str = r#"{"type":"connection_init"}"#;

    fn subscribe(id: &str) -> String {
        format!(r#"{{"type":"subscribe","id":"{id}","payload":{{"query":"{{a}}"}}}}"#)
    }

    fn complete(id: &str) -> String {
        format!(r#"{{"type":"complete","id":"{id}"}}"#)
    }

    fn open() -> Machine {
        let mut machine = Machine::new(Dialect::Current, 3);
        assert!(matches!(machine.receive(INIT), Action::Admit(None)));
        assert!(matches!(machine.admit(true), Action::Send(ack) if ack == message::ACK));
        machine
    }

    fn start(machine: &mut Machine, id: &str) -> Name {
        match machine.receive(&subscribe(id)) {
            Action::Start(name, _) => name,
            other => panic!("{other:?}"),
        }
    }

    fn code(action: Action) -> u16 {
        match action {
            Action::Close(close) => close.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_breach_has_its_code() {
        assert_eq!(code(Machine::new(Dialect::Current, 1).receive(&subscribe("1"))), 4401);
        assert_eq!(code(Machine::new(Dialect::Current, 1).receive("nonsense")), 4400);
        assert_eq!(code(open().receive(INIT)), 4429);
        let mut admitting = Machine::new(Dialect::Current, 1);
        admitting.receive(INIT);
        assert_eq!(code(admitting.receive(&subscribe("1"))), 4401);
        assert_eq!(code(admitting.receive(INIT)), 4429);
        assert_eq!(code(admitting.admit(false)), 4403);
        let mut machine = open();
        start(&mut machine, "1");
        assert_eq!(code(machine.receive(&subscribe("1"))), 4409);
        assert_eq!(code(open().receive(r#"{"type":"subscribe","id":"1","payload":{"query":7}}"#)), 4400);
    }

    #[test]
    fn a_ping_gets_its_payload_back_at_any_time() {
        let mut machine = Machine::new(Dialect::Current, 1);
        let Action::Send(pong) = machine.receive(r#"{"type":"ping","payload":{"a":1}}"#) else { panic!() };
        assert_eq!(pong, r#"{"type":"pong","payload":{"a":1}}"#);
        assert!(matches!(machine.receive(r#"{"type":"pong"}"#), Action::Wait));
    }

    #[test]
    fn an_id_is_free_again_after_either_side_completed_it() {
        let mut machine = open();
        let first = start(&mut machine, "1");
        assert!(matches!(machine.receive(&complete("1")), Action::Stop(serial) if serial == first.serial));
        let second = start(&mut machine, "1");
        assert!(!machine.is_running(&first) && !machine.finish(&first), "the first says no more");
        assert!(machine.finish(&second));
        start(&mut machine, "1");
        assert!(matches!(machine.receive(&complete("unknown")), Action::Wait));
    }

    #[test]
    fn one_operation_too_many_is_refused_alone() {
        let mut machine = open();
        for id in ["1", "2", "3"] {
            start(&mut machine, id);
        }
        let Action::Send(error) = machine.receive(&subscribe("4")) else { panic!() };
        assert!(error.contains(r#""type":"error""#) && error.contains("RATE_LIMITED"), "{error}");
        machine.receive(&complete("1"));
        start(&mut machine, "4");
    }

    #[test]
    fn an_older_client_is_understood_in_its_own_words_only() {
        let mut machine = Machine::new(Dialect::Old, 3);
        machine.receive(INIT);
        machine.admit(true);
        let start = r#"{"type":"start","id":"1","payload":{"query":"{a}"}}"#;
        let Action::Start(name, _) = machine.receive(start) else { panic!() };
        assert!(
            matches!(machine.receive(r#"{"type":"stop","id":"1"}"#), Action::Stop(it) if it == name.serial)
        );
        assert_eq!(code(machine.receive(&subscribe("2"))), 4400);
        assert_eq!(code(machine.receive(r#"{"type":"connection_terminate"}"#)), 1000);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Init,
        Admit(bool),
        Subscribe(u8),
        Complete(u8),
        Finish(usize),
        Text(String),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            1 => Just(Step::Init),
            1 => any::<bool>().prop_map(Step::Admit),
            8 => (0..5_u8).prop_map(Step::Subscribe),
            4 => (0..5_u8).prop_map(Step::Complete),
            4 => (0..20_usize).prop_map(Step::Finish),
            1 => any::<String>().prop_map(Step::Text),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_runs_uninvited_or_twice(steps in steps()) {
            let mut machine = Machine::new(Dialect::Current, 3);
            let (mut asked, mut accepted) = (false, false);
            let mut started: Vec<Name> = Vec::new();
            for step in steps {
                let action = match step {
                    Step::Init => machine.receive(INIT),
                    // The driver admits only when it was asked to.
                    Step::Admit(_) if !asked || accepted => continue,
                    Step::Admit(yes) => { accepted = yes; machine.admit(yes) }
                    Step::Subscribe(id) => machine.receive(&subscribe(&id.to_string())),
                    Step::Complete(id) => machine.receive(&complete(&id.to_string())),
                    Step::Finish(index) => {
                        if let Some(name) = started.get(index) {
                            let was_running = machine.is_running(name);
                            prop_assert_eq!(machine.finish(name), was_running);
                            prop_assert!(!machine.is_running(name));
                        }
                        continue;
                    }
                    Step::Text(text) => machine.receive(&text),
                };
                match action {
                    Action::Start(name, _) => {
                        prop_assert!(accepted);
                        let running: Vec<_> = started.iter().filter(|it| machine.is_running(it)).collect();
                        prop_assert!(running.len() < 3 && running.iter().all(|it| it.id != name.id));
                        started.push(name);
                    }
                    Action::Stop(serial) => prop_assert!(started.iter().any(|it| it.serial == serial)),
                    Action::Admit(_) => { prop_assert!(!asked); asked = true; }
                    Action::Close(close) => { prop_assert!(close.reason.len() <= 123); break; }
                    Action::Send(_) | Action::Wait => {}
                }
            }
        }
    }
}
