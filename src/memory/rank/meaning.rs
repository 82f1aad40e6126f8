//! What likeness in meaning is worth. Models differ in what they call unlike, and in how far apart
//! they keep it from what is alike: with one, texts that have nothing to do with each other come to
//! 0.1 and an answer to 0.5, with another to 0.80 and 0.86. So a likeness counts from what is usual
//! among this user's memories for this question, by how much they usually vary; and a memory that is
//! no nearer than usual gains nothing, like one whose vector is not there yet.

use super::Semantic;

/// With fewer memories than this there is no telling what is usual, for half of them may well be
/// about the question: then likeness counts from the least, as it is.
const FEW: usize = 16;
/// Few that differ by less than this, as one alone does, count as they are.
const CLOSE: f32 = 0.02;
/// So many standard deviations above the usual are a gain of 1: more than chance brings about.
const OUTSTANDING: f32 = 4.0;
/// A gain below this is chance.
const CHANCE: f32 = 0.15;

/// See the file's head.
pub(super) struct Meaning<'a> {
    likeness: &'a [f32],
    weight: f32,
    /// What is usual …
    floor: f32,
    /// … and how far above it a gain is 1.
    range: f32,
}

impl<'a> Meaning<'a> {
    pub(super) fn new(semantic: Semantic<'a>) -> Self {
        let Semantic { likeness, weight } = semantic;
        let (floor, range) = usual(likeness);
        Meaning {
            likeness,
            weight: if weight.is_finite() {
                weight.max(0.0)
            } else {
                0.0
            },
            floor,
            range,
        }
    }

    /// What a document gains, in best matches.
    pub(super) fn worth(&self, doc: usize) -> f32 {
        let alike = self.likeness.get(doc).copied().unwrap_or(f32::NAN);
        let gain = (alike - self.floor) / self.range;
        // Also where it is not a number.
        if gain >= CHANCE {
            self.weight * gain.min(1.0)
        } else {
            0.0
        }
    }
}

/// The likeness of a memory that has nothing to do with the question, and how far above it one
/// stands out.
fn usual(likeness: &[f32]) -> (f32, f32) {
    let known = likeness.iter().copied().filter(|alike| alike.is_finite());
    let mut known: Vec<f32> = known.collect();
    let count = known.len();
    if count < FEW {
        let least = known.iter().copied().fold(1.0, f32::min);
        let most = known.iter().copied().fold(-1.0, f32::max);
        let floor = if most - least < CLOSE { 0.0 } else { least };
        return (floor, 1.0 - floor);
    }
    let mean = known.iter().sum::<f32>() / count as f32;
    let variance = known
        .iter()
        .map(|alike| (alike - mean).powi(2))
        .sum::<f32>()
        / count as f32;
    let median = *known.select_nth_unstable_by(count / 2, f32::total_cmp).1;
    (median, (OUTSTANDING * variance.sqrt()).max(f32::EPSILON))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worth(likeness: &[f32]) -> Vec<f32> {
        let meaning = Meaning::new(Semantic {
            likeness,
            weight: 1.0,
        });
        (0..likeness.len()).map(|doc| meaning.worth(doc)).collect()
    }

    #[test]
    fn the_near_gain_the_usual_and_the_unknown_do_not() {
        // One model has the unlike at 0.1 and far apart, the other at 0.8 and close together.
        for (usual, apart) in [(0.1, 0.1), (0.8, 0.015)] {
            let mut all: Vec<f32> = (0..60)
                .map(|n| usual + apart * [-1.0, -0.5, 0.0, 0.1, 0.3][n % 5])
                .collect();
            all[7] = usual + 5.0 * apart;
            all[8] = f32::NAN;
            all[9] = usual + 2.0 * apart;
            let worth = worth(&all);
            assert!(worth[7] > 0.9, "{}", worth[7]);
            assert!(worth[9] > 0.3 && worth[9] < worth[7], "{}", worth[9]);
            let rest = worth
                .iter()
                .enumerate()
                .filter(|(n, _)| ![7, 9].contains(n));
            assert!(rest.into_iter().all(|(_, gain)| *gain == 0.0), "{worth:?}");
        }
        assert_eq!(worth(&[0.7; 40]), [0.0; 40]);
    }

    #[test]
    fn among_few_the_least_is_usual_and_one_alone_counts_as_it_is() {
        let few = worth(&[0.9, 0.8, 0.1]);
        assert!(few[0] > few[1] && few[1] > 0.7 && few[2] == 0.0);
        assert_eq!(worth(&[0.6]), [0.6]);
        assert_eq!(worth(&[f32::NAN]), [0.0]);
        assert!(worth(&[]).is_empty());
        assert_eq!(worth(&[1.0, 1.0]), [1.0, 1.0]);
    }

    #[test]
    fn a_weight_that_is_none_counts_nothing() {
        for weight in [f32::NAN, -1.0, 0.0] {
            let likeness = &[1.0, 0.0];
            assert_eq!(Meaning::new(Semantic { likeness, weight }).worth(0), 0.0);
        }
    }
}
