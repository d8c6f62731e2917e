//! Which places of many are occupied, and which is the next.

/// Which of a power of two of places are occupied: a bit each, and above every 64 a bit for
/// whether there is one among them, up to a single word.
#[derive(Debug)]
pub struct Occupied {
    levels: Vec<Vec<u64>>,
}

impl Occupied {
    pub fn new(places: usize) -> Occupied {
        let mut levels = Vec::new();
        let mut words = places;
        while words > 1 || levels.is_empty() {
            words = words.div_ceil(64);
            levels.push(vec![0; words]);
        }
        Occupied { levels }
    }

    pub fn has(&self, at: usize) -> bool {
        self.levels[0][at / 64] >> (at % 64) & 1 != 0
    }

    pub fn set(&mut self, mut at: usize) {
        for level in &mut self.levels {
            level[at / 64] |= 1 << (at % 64);
            at /= 64;
        }
    }

    pub fn clear(&mut self, mut at: usize) {
        for level in &mut self.levels {
            let word = &mut level[at / 64];
            *word &= !(1 << (at % 64));
            if *word != 0 {
                return;
            }
            at /= 64;
        }
    }

    /// How far it is from `at`, round the end, to the first that is occupied.
    pub fn first_after(&self, at: usize) -> Option<usize> {
        let places = self.levels[0].len() * 64;
        self.first_from(at).map(|found| found - at).or_else(|| self.first_from(0).map(|found| found + places - at))
    }

    /// The first that is occupied, from `at` to the end.
    pub fn first_from(&self, mut at: usize) -> Option<usize> {
        for (height, level) in self.levels.iter().enumerate() {
            let rest = level.get(at / 64)? >> (at % 64);
            if rest != 0 {
                at += rest.trailing_zeros() as usize;
                for below in self.levels[..height].iter().rev() {
                    at = at * 64 + below[at].trailing_zeros() as usize;
                }
                return Some(at);
            }
            at = at / 64 + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::cases::config(256))]

        #[test]
        fn occupied_places_are_found_as_in_a_plain_list(
            size in 6..14u32,
            deeds in prop::collection::vec((any::<usize>(), any::<bool>()), 1..60),
            from in any::<usize>(),
        ) {
            let places = 1 << size;
            let (mut occupied, mut model) = (Occupied::new(places), vec![false; places]);
            for (at, sets) in deeds {
                let at = at % places;
                model[at] = sets;
                if sets { occupied.set(at) } else { occupied.clear(at) }
            }
            let from = from % places;
            let expected = (0..places).find(|distance| model[(from + distance) % places]);
            prop_assert_eq!(occupied.first_after(from), expected);
            prop_assert!((0..places).all(|at| occupied.has(at) == model[at]));
        }
    }
}
