//! A budget of extra questions: a share of the ordinary ones, so that what is done against trouble cannot become trouble.

use std::sync::atomic::{AtomicU64, Ordering};

/// What one extra question costs, in thousandths.
const PRICE: u64 = 1000;

/// Earned by ordinary questions, spent on extra ones.
#[derive(Debug)]
pub struct Budget {
    /// Thousandths of an extra question that one ordinary question earns.
    share: u64,
    /// How many extra questions may be saved up, in thousandths.
    most: u64,
    saved: AtomicU64,
}

impl Budget {
    /// One that earns so many extra questions in a thousand, and saves up to so many.
    pub fn new(per_thousand: u64, most: u64) -> Self {
        Self {
            share: per_thousand,
            most: most.saturating_mul(PRICE),
            saved: AtomicU64::new(0),
        }
    }

    /// An ordinary question was put.
    pub fn earn(&self) {
        let earned = |saved: u64| Some(saved.saturating_add(self.share).min(self.most));
        // Never an error: the closure always gives a value.
        let _ = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, earned);
    }

    /// Takes one extra question, if there is one.
    pub fn spend(&self) -> bool {
        let spent = |saved: u64| saved.checked_sub(PRICE);
        self.saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_is_spent_and_not_more() {
        let budget = Budget::new(50, 2);
        assert!(!budget.spend());
        (0..19).for_each(|_| budget.earn());
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend() && !budget.spend());
        (0..1000).for_each(|_| budget.earn());
        assert!(budget.spend() && budget.spend() && !budget.spend());
    }

    proptest! {
        #[test]
        fn never_more_than_the_share(share in 1u64..=1000, most in 1u64..20, asked in proptest::collection::vec(any::<bool>(), 0..2000)) {
            let budget = Budget::new(share, most);
            let (mut earned, mut spent) = (0, 0);
            for spends in asked {
                earned += 1;
                budget.earn();
                spent += u64::from(spends && budget.spend());
                prop_assert!(spent * 1000 <= earned * share);
            }
        }
    }
}
