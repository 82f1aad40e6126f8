//! What likeness in meaning is worth. Models differ in what they call unlike: with one, texts that
//! have nothing to do with each other come to 0.1, with another to 0.75. So a likeness counts from
//! what is usual among this user's memories for this question, and a memory that is no nearer than
//! that gains nothing, like one whose vector is not there yet.

use super::Semantic;

/// With fewer memories than this the least likeness is what is usual: half of them may well be
/// about the question.
const FEW: usize = 16;
/// A gain below this is chance.
const CHANCE: f32 = 0.15;

/// See the file's head.
pub(super) struct Meaning<'a> {
    likeness: &'a [f32],
    weight: f32,
    /// What is usual.
    floor: f32,
}

impl<'a> Meaning<'a> {
    pub(super) fn new(semantic: Semantic<'a>) -> Self {
        let Semantic { likeness, weight } = semantic;
        Meaning {
            likeness,
            weight: if weight.is_finite() {
                weight.max(0.0)
            } else {
                0.0
            },
            floor: usual(likeness).clamp(0.0, 0.99),
        }
    }

    /// What a document gains, in best matches.
    pub(super) fn worth(&self, doc: usize) -> f32 {
        let alike = self.likeness.get(doc).copied().unwrap_or(f32::NAN);
        let gain = (alike.clamp(-1.0, 1.0) - self.floor) / (1.0 - self.floor);
        // Also where it is not a number.
        if gain >= CHANCE {
            self.weight * gain
        } else {
            0.0
        }
    }
}

/// The likeness of a memory that has nothing to do with the question: the median, for few have.
fn usual(likeness: &[f32]) -> f32 {
    let known = likeness.iter().copied().filter(|alike| alike.is_finite());
    let mut known: Vec<f32> = known.collect();
    match known.len() {
        0 | 1 => 0.0,
        few if few < FEW => known.into_iter().fold(1.0, f32::min),
        many => *known.select_nth_unstable_by(many / 2, f32::total_cmp).1,
    }
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
        // One model has the unlike at 0.75, the other at 0.1.
        for usual in [0.75, 0.1] {
            let mut all = vec![usual; 40];
            all[7] = usual + (1.0 - usual) * 0.6;
            all[8] = f32::NAN;
            all[9] = -1.0;
            all[10] = usual + 0.02;
            let worth = worth(&all);
            assert!((worth[7] - 0.6).abs() < 0.01, "{}", worth[7]);
            let rest = worth.iter().enumerate().filter(|(doc, _)| *doc != 7);
            assert!(rest.into_iter().all(|(_, gain)| *gain == 0.0));
        }
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
