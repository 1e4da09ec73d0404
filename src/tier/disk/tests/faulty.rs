//! Real files whose system calls fail, fall short or hang as a rule says.

use std::fmt;
use std::io::IoSlice;

use parking_lot::{Condvar, Mutex};
use rustix::io::Errno;

use super::io::{File, Io};
use super::room::Room;
use super::*;

/// A system call, as the rule sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Open,
    Create,
    ReadNow,
    Read,
    Write,
    Publish,
    Remove,
    Discard,
    Size,
    List,
    Room,
}

/// What becomes of it.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    Go,
    Fail(Errno),
    /// It does less than it was asked for.
    Short(usize),
    /// It is done after others had so many turns.
    Late(u64),
    /// It waits until the gate opens.
    Hang(Arc<Gate>),
}

#[derive(Debug, Default)]
pub(super) struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    pub(super) fn open(&self) {
        *self.open.lock() = true;
        self.changed.notify_all();
    }

    fn pass(&self) {
        self.changed.wait_while(&mut self.open.lock(), |open| !*open);
    }
}

type Rule = dyn FnMut(Call) -> Verdict + Send;

/// Real files whose system calls follow a rule.
#[derive(Clone)]
pub(super) struct Faulty {
    root: Arc<Root>,
    rule: Arc<Mutex<Box<Rule>>>,
    /// What is told of the volume instead of what is so.
    pub(super) volume: Arc<Mutex<Option<Room>>>,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl Faulty {
    fn new(root: Root) -> Self {
        Self {
            root: Arc::new(root),
            rule: Arc::new(Mutex::new(Box::new(|_| Verdict::Go))),
            volume: Arc::default(),
        }
    }

    pub(super) fn set(&self, rule: impl FnMut(Call) -> Verdict + Send + 'static) {
        *self.rule.lock() = Box::new(rule);
    }

    pub(super) fn fail(&self, what: Call, errno: Errno) {
        self.set(move |call| {
            if call == what {
                Verdict::Fail(errno)
            } else {
                Verdict::Go
            }
        });
    }

    /// How much of the call is to be done.
    fn ask(&self, call: Call) -> Io<usize> {
        let verdict = (self.rule.lock())(call);
        match verdict {
            Verdict::Go => Ok(usize::MAX),
            Verdict::Fail(errno) => Err(errno),
            Verdict::Short(length) => Ok(length),
            Verdict::Late(turns) => {
                (0..turns).for_each(|_| std::thread::yield_now());
                Ok(usize::MAX)
            }
            Verdict::Hang(gate) => {
                gate.pass();
                Ok(usize::MAX)
            }
        }
    }
}

impl Files for Faulty {
    fn open(&self, name: Name) -> Io<(File, u64)> {
        self.ask(Call::Open)?;
        self.root.open(name)
    }

    fn create(&self, tmp: &str) -> Io<File> {
        self.ask(Call::Create)?;
        self.root.create(tmp)
    }

    fn read_now(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize> {
        let most = self.ask(Call::ReadNow)?.min(into.len());
        self.root.read(file, &mut into[..most], at)
    }

    fn read(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize> {
        self.ask(Call::Read)?;
        self.root.read(file, into, at)
    }

    fn write(&self, file: &File, from: &[IoSlice<'_>], at: u64) -> Io<usize> {
        let most = self.ask(Call::Write)?;
        match from.first() {
            Some(first) if most < first.len() => self.root.write(file, &[IoSlice::new(&first[..most])], at),
            _ => self.root.write(file, from, at),
        }
    }

    fn publish(&self, tmp: &str, name: Name) -> Io<()> {
        self.ask(Call::Publish)?;
        self.root.publish(tmp, name)
    }

    fn remove(&self, name: Name) -> Io<()> {
        self.ask(Call::Remove)?;
        self.root.remove(name)
    }

    fn discard(&self, tmp: &str) -> Io<()> {
        self.ask(Call::Discard)?;
        self.root.discard(tmp)
    }

    fn size(&self, name: Name) -> Io<u64> {
        self.ask(Call::Size)?;
        self.root.size(name)
    }

    fn room(&self) -> Io<Room> {
        self.ask(Call::Room)?;
        (*self.volume.lock()).map_or_else(|| self.root.room(), Ok)
    }

    fn list(&self, directory: &str, each: &mut dyn FnMut(&str) -> bool) -> Io<()> {
        self.ask(Call::List)?;
        self.root.list(directory, each)
    }
}

pub(super) fn faulty() -> (Bench, Faulty) {
    let mut bench = Bench::new(64 << 20);
    let files = bench.reopen_faulty(|_| Verdict::Go);
    (bench, files)
}

impl Bench {
    /// Opens it anew with a rule for its system calls.
    pub(super) fn reopen_faulty(&mut self, rule: impl FnMut(Call) -> Verdict + Send + 'static) -> Faulty {
        let mut faulty = None;
        self.reopen_with(|root| {
            let files = Faulty::new(root);
            files.set(rule);
            faulty = Some(files.clone());
            Arc::new(files)
        });
        faulty.unwrap()
    }
}
