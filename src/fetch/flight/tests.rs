//! The window, and who keeps what in it.

use super::*;
use crate::object::{Heard, Method, Target};
use crate::plan::{Asked, Tier};

const WINDOW: u64 = 1000;

fn flight() -> Arc<Flight> {
    let flight = Flight::new(WINDOW);
    let told = Told {
        tier: Tier::new(0),
        asked: Asked::free(Method::Get, Target::Whole),
        heard: Heard::failed(Cause::Reset),
        own: false,
    };
    flight.take_off(told, range(), Use::default());
    flight
}

fn range() -> ByteRange {
    ByteRange::new(0, 99_999).unwrap()
}

#[tokio::test]
async fn what_the_fastest_reader_has_yet_to_read_stays_in_the_window() {
    let flight = flight();
    let mut reader = flight.follow(0);
    let mut position = 0;
    // Pieces that do not divide the window, as sockets give them.
    for _ in 0..40 {
        while flight.wanted() == Wanted::Soon {
            flight.push(Bytes::from(vec![0; 333]));
        }
        let Next::Bytes(bytes) = reader.next(position, range()).await else {
            panic!("lost at {position}");
        };
        position += length(&bytes);
    }
    let state = flight.state.lock();
    assert!(state.end - state.base <= WINDOW + 333);
}

#[test]
fn a_reserve_takes_no_memory_and_nothing_from_others() {
    let flight = flight();
    let (mut reserve, mut reader) = (flight.follow(0), flight.follow(0));
    reader.want_until(500);
    reserve.stand_by();
    assert_eq!(flight.wanted(), Wanted::Soon);
    flight.push(Bytes::from(vec![0; 500]));
    assert_eq!(flight.wanted(), Wanted::Later);
    // What one of them has yet to read stays, whatever comes.
    (0..10).for_each(|_| flight.push(Bytes::from(vec![0; 500])));
    assert_eq!(flight.state.lock().base, 0);
    drop(reader);
    assert_eq!(flight.wanted(), Wanted::Reserve);
    (0..10).for_each(|_| flight.push(Bytes::from(vec![0; 500])));
    let held = |state: &State| state.end - state.base;
    assert!(held(&flight.state.lock()) <= WINDOW);
    reserve.want_from(20_000);
    assert_ne!(flight.wanted(), Wanted::Reserve);
}

#[test]
fn the_window_moves_without_readers() {
    let flight = flight();
    drop(flight.follow(0));
    for _ in 0..40 {
        assert_eq!(flight.wanted(), Wanted::Unread);
        flight.push(Bytes::from(vec![0; 333]));
    }
    let state = flight.state.lock();
    assert!(state.end - state.base <= WINDOW);
}
