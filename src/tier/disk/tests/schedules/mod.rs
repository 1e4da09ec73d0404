//! Publishing, reading, evicting, forgetting, walking and closing at once, in schedules that are chosen: at every lock,
//! every condition and every system call it is decided who goes on.

mod door;
mod ledger;

use std::path::Path;

use parking_lot::{Mutex, MutexGuard};
use shuttle::future::block_on;
use shuttle::rand::Rng;
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, Runner, thread};

use super::*;
use crate::tier::store::Tail;
use door::Door;
use ledger::{Ledger, SIZE, Spot, TAGS, content};

/// Two whole blocks do not fit beside the short ones.
const CAPACITY: u64 = 34 * index::PAGE;

/// What all schedules of a test came across.
#[derive(Debug, Default)]
struct Met {
    schedules: AtomicU64,
    published: AtomicU64,
    evicted: AtomicU64,
    reads: AtomicU64,
    forgotten: AtomicU64,
    walked: AtomicU64,
}

impl Met {
    /// Counts what happened in one schedule.
    fn take(&self, shared: &Shared) {
        let evicted = counted(&shared.counters.evicted.read(), Evicted::Capacity);
        self.evicted.fetch_add(evicted, Ordering::Relaxed);
        let walked = u64::from(shared.index.is_complete());
        self.walked.fetch_add(walked, Ordering::Relaxed);
    }

    /// Whether each of it happened often.
    fn is_much(&self) -> bool {
        let schedules = self.schedules.load(Ordering::Relaxed);
        let counts = [
            &self.published,
            &self.evicted,
            &self.reads,
            &self.forgotten,
            &self.walked,
        ];
        counts
            .iter()
            .all(|count| count.load(Ordering::Relaxed) * 10 >= schedules)
    }
}

/// Says what was met, at the end and where a schedule fails.
struct Told(&'static str, Arc<Met>);

impl Drop for Told {
    fn drop(&mut self) {
        let Self(what, met) = self;
        println!("{what}: {met:?}");
    }
}

/// What an earlier run left, which every schedule begins with.
struct Left {
    dir: TempDir,
    ledger: Ledger,
}

/// What a thread is given. The last to drop it closes the disk.
#[derive(Clone)]
struct Actor {
    disk: Arc<Disk>,
    ledger: Arc<Mutex<Ledger>>,
    met: Arc<Met>,
}

fn chosen(end: u64) -> u64 {
    shuttle::rand::thread_rng().gen_range(0..end)
}

fn open(path: &Path) -> Disk {
    let config = DiskConfig {
        path: path.to_owned(),
        capacity: CAPACITY,
        block_size: BlockSize::new(BLOCK).unwrap(),
        fill_budget: 8 << 20,
        read_budget: 8 << 20,
        open_files: 1024,
        policy: Policy::default(),
    };
    let (root, lock) = open_root(path).unwrap();
    let files = Arc::new(Door::new(root));
    Disk::start(&config, files, lock, Arc::new(|| Duration::from_secs(100))).unwrap()
}

/// What is in the directories of a root that hold blocks and records, with its size.
fn files(root: &Path) -> Vec<(PathBuf, u64)> {
    let list = |path: &Path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let directories = list(root).filter(|entry| entry.file_name().len() == 2);
    let files = directories.flat_map(|directory| list(&directory.path()));
    let mut files: Vec<_> = files
        .map(|file| (file.path(), file.metadata().unwrap().len()))
        .collect();
    files.sort();
    files
}

impl Left {
    /// Three of the four blocks, and that the first revision is current.
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let (path, ledger) = (dir.path().join("cache"), Arc::default());
        let of_test = Arc::clone(&ledger);
        let run = move || {
            let disk = Arc::new(open(&path));
            let (ledger, met) = (Arc::clone(&of_test), Arc::default());
            let actor = Actor { disk, ledger, met };
            for spot in Spot::all().filter(|spot| (spot.tag, spot.index) != (1, 0)) {
                actor.store(spot);
            }
            actor.learn(0);
        };
        Runner::new(RandomScheduler::new_from_seed(0, 1), config()).run(run);
        let ledger = ledger.lock().clone();
        Self { dir, ledger }
    }

    fn copy(&self) -> TempDir {
        let copy = TempDir::new().unwrap();
        let (from, to) = (self.dir.path().join("cache"), copy.path().join("cache"));
        for (file, _) in files(&from) {
            let to = to.join(file.strip_prefix(&from).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&file, &to).unwrap();
        }
        copy
    }
}

impl Actor {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock()
    }

    fn begin(&self, spot: Spot) -> Option<(u64, Box<dyn Fill>)> {
        let claim = if chosen(4) == 0 { Claim::Pinned } else { Claim::Current };
        let revision = spot.revision();
        let number = self.ledger().begins(spot);
        let fill = self.disk.fill(&revision, &head(&revision, SIZE), spot.index(), claim);
        self.ledger().begun(number);
        Some((number, fill.ok()?))
    }

    fn store(&self, spot: Spot) {
        let (number, mut fill) = self.begin(spot).unwrap();
        fill.offer(&content(number, spot)).unwrap();
        block_on(fill.finish()).unwrap();
    }

    /// Fills a block, and has it read meanwhile; may let go of the disk before it has got anywhere.
    fn fill(self) {
        let spot = Spot::chosen();
        let Some((number, mut fill)) = self.begin(spot) else {
            return;
        };
        let (tail, ledger) = (fill.tail(), Arc::clone(&self.ledger));
        let reader = thread::spawn(move || read_tail(&*tail, number, spot, &ledger));
        let (met, mut kept) = (Arc::clone(&self.met), Some(self));
        if chosen(3) == 0 {
            kept = None;
        }
        let bytes = content(number, spot);
        let half = (bytes.len() / 2).next_multiple_of(8);
        let offered = [bytes.slice(..half), bytes.slice(half..)]
            .iter()
            .try_for_each(|piece| fill.offer(piece));
        if offered.is_ok() && chosen(5) > 0 && block_on(fill.finish()).is_ok() {
            met.published.fetch_add(1, Ordering::Relaxed);
        }
        reader.join().unwrap();
        drop(kept);
    }

    /// Reads, often the same block again.
    fn read(self) {
        let mut spot = Spot::chosen();
        for _ in 0..4 {
            self.read_one(spot);
            if chosen(3) == 0 {
                spot = Spot::chosen();
                block_on(self.disk.known(&spot.revision().key));
            }
        }
    }

    fn read_one(&self, spot: Spot) {
        let asked = self.ledger().tick();
        let at = 8 * chosen(spot.range().len() / 8);
        let (revision, index) = (spot.revision(), spot.index());
        let range = ByteRange::new(spot.range().first() + at, spot.range().last()).unwrap();
        let at_hand = self.disk.at_hand(&revision, index, range).map(|found| found.bytes);
        let read = match at_hand {
            Some(bytes) if chosen(2) == 0 => Some(bytes),
            _ => block_on(self.disk.read(&revision, index, range)).ok(),
        };
        if let Some(bytes) = read {
            self.ledger().check(spot, at, &bytes, asked);
            self.met.reads.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Learns what is current, as the only one, and what it then hears.
    fn learn(&self, tag: u64) {
        let spot = |tag| Spot { tag, index: 0 }.revision();
        let (current, former) = (spot(tag), spot(1 - tag));
        let known = Known {
            current: Current::Is(current.tag.clone()),
            former: vec![(former.tag, SystemTime::UNIX_EPOCH)],
            head: Some(head(&current, SIZE)),
            ..Known::UNKNOWN
        };
        self.disk.learn(&current.key, known);
        let heard = block_on(self.disk.known(&current.key)).current;
        assert!(
            heard == Current::Unknown || heard == Current::Is(current.tag),
            "what was known before came back: {heard:?}"
        );
    }

    /// Forgets, or has something evicted.
    fn forget(self) {
        for _ in 0..2 {
            let tag = chosen(TAGS);
            match chosen(4) {
                0 => self.disk.shared.index.relieve(),
                1 => self.disk.shared.watch.wake(),
                _ => {
                    let number = self.ledger().forgets(tag);
                    self.disk.forget(&Spot { tag, index: 0 }.revision());
                    self.ledger().forgot(number);
                    self.met.forgotten.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// What is read of a fill is what it writes.
fn read_tail(tail: &dyn Tail, number: u64, spot: Spot, ledger: &Mutex<Ledger>) {
    let at = 8 * chosen(spot.range().len() / 8);
    let range = ByteRange::new(spot.range().first() + at, spot.range().last()).unwrap();
    if let Ok(bytes) = block_on(tail.read(range)) {
        assert_eq!(ledger.lock().check(spot, at, &bytes, 0), number);
    }
}

/// One schedule, from opening what an earlier run left to the end of the last thread.
fn one(left: &Left, met: &Arc<Met>) {
    met.schedules.fetch_add(1, Ordering::Relaxed);
    let dir = left.copy();
    let root = dir.path().join("cache");
    let disk = Arc::new(open(&root));
    let shared = Arc::clone(&disk.shared);
    let actor = Actor {
        disk,
        ledger: Arc::new(Mutex::new(left.ledger.clone())),
        met: Arc::clone(met),
    };
    let ledger = Arc::clone(&actor.ledger);
    let acts: [fn(Actor); 6] = [
        Actor::fill,
        Actor::fill,
        Actor::read,
        Actor::read,
        Actor::forget,
        |actor| {
            actor.learn(chosen(TAGS));
            actor.learn(chosen(TAGS));
        },
    ];
    let threads = acts.map(|act| {
        let actor = actor.clone();
        thread::spawn(move || act(actor))
    });
    // Else it is closed while it walks.
    if chosen(2) == 0 {
        until_walked(&shared.index);
    }
    drop(actor);
    for thread in threads {
        thread.join().unwrap();
    }
    agree(&root, &shared, &ledger.lock());
    met.take(&shared);
}

fn until_walked(index: &index::Index) {
    while !index.is_complete() {
        thread::yield_now();
    }
}

/// What is left in the directory, what the index says, and what happened.
fn agree(root: &Path, shared: &Shared, ledger: &Ledger) {
    let files = files(root);
    for spot in Spot::all() {
        let file = root.join(spot.name().path());
        let is_there = files.iter().any(|(path, _)| *path == file);
        let in_index = shared.index.contains(spot.name());
        let is_complete = shared.index.is_complete();
        assert!(
            in_index == is_there || is_there && !is_complete,
            "{spot:?}: {in_index}, {is_there}"
        );
        if is_there {
            let bytes = std::fs::read(&file).unwrap();
            ledger.check(spot, 0, &bytes[..format::narrow(spot.range().len())], u64::MAX);
        }
    }
    let (bytes, count, capacity) = shared.index.usage();
    let pages: u64 = files.iter().map(|(_, size)| size.next_multiple_of(index::PAGE)).sum();
    assert!(bytes <= capacity);
    if shared.index.is_complete() {
        assert_eq!((count, bytes), (format::wide(files.len()), pages));
    }
    assert_eq!(std::fs::read_dir(root.join(io::TMP)).unwrap().count(), 0);
    assert_eq!(shared.budget.used(), 0);
    assert_eq!(shared.live.load(Ordering::Relaxed), 0);
    assert!(shared.counters.faults.read().iter().all(|(_, count)| *count == 0));
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.silence_warnings = true;
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    config
}

fn run<S: Scheduler + 'static>(what: &'static str, scheduler: S) -> Arc<Met> {
    let left = Left::new();
    let told = Told(what, Arc::default());
    let met = Arc::clone(&told.1);
    Runner::new(scheduler, config()).run(move || one(&left, &met));
    Arc::clone(&told.1)
}

fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => otherwise,
    }
}

fn seed_and_count() -> (u64, usize) {
    let count = number("PINSTRIPE_SCHEDULES", 1500);
    (number("PINSTRIPE_SEED", 1), usize::try_from(count).unwrap())
}

#[test]
fn all_agree_whoever_goes_on_by_chance() {
    let (seed, count) = seed_and_count();
    let met = run("schedules by chance", RandomScheduler::new_from_seed(seed, count));
    assert!(count < 100 || met.is_much());
}

/// Nearly everybody goes on until they wait: what takes one or two unlikely turns is met sooner.
#[test]
fn all_agree_where_few_lose_their_turn() {
    let (seed, count) = seed_and_count();
    let met = run("schedules of few turns", PctScheduler::new_from_seed(seed, 3, count));
    assert!(count < 100 || met.is_much());
}

/// One that another run printed, from a file.
#[test]
fn a_schedule_is_run_again() {
    if let Ok(path) = std::env::var("PINSTRIPE_SCHEDULE") {
        run("schedule", ReplayScheduler::new_from_file(path).unwrap());
    }
}
