//! What a text means, as an embedding model puts it: a direction in so many dimensions, a byte
//! each. A byte is a quarter of what the model sends, on the disk and in memory, and moves a
//! cosine by less than a hundredth, which no ranking feels.

/// The most dimensions that are taken; far more than models have.
pub const MOST_DIMENSIONS: usize = 16_384;
/// The largest code.
const LARGEST: f32 = 127.0;

/// See the file's head. Its length means nothing, and is never zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector(Box<[i8]>);

impl Vector {
    /// Of what a model answered; `None`: it has no direction, or more dimensions than any has.
    pub fn of(raw: &[f32]) -> Option<Vector> {
        let largest = raw.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        if raw.len() > MOST_DIMENSIONS || largest <= 0.0 || !raw.iter().all(|x| x.is_finite()) {
            return None;
        }
        let codes = raw.iter().map(|x| (x / largest * LARGEST).round() as i8);
        Some(Vector(codes.collect()))
    }

    /// As it was kept.
    pub fn from_bytes(bytes: &[u8]) -> Option<Vector> {
        let some = bytes.iter().any(|code| *code != 0);
        some.then(|| Vector(bytes.iter().map(|code| code.cast_signed()).collect()))
    }

    /// As it is kept.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.iter().map(|code| code.cast_unsigned()).collect()
    }

    /// How many dimensions it has.
    pub fn dims(&self) -> usize {
        self.0.len()
    }
}

/// What is asked, as an embedding model puts it.
#[derive(Clone, Debug)]
pub struct Meant {
    /// The question's own vector.
    pub vector: Vector,
    /// What the same meaning is worth, beside a best lexical match of 1.
    pub weight: f32,
}

/// The vectors of a user's memories, by document number, all of one model and so of as many
/// dimensions. They lie one behind the other, so that a search streams through them.
#[derive(Clone, Default)]
pub(super) struct Vectors {
    dims: usize,
    codes: Vec<i8>,
    /// One over the length of each vector.
    inverse: Vec<f32>,
    /// By document number: which vector is its; `NONE`: it has none yet.
    of_doc: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Vectors {
    pub(super) fn is_empty(&self) -> bool {
        self.inverse.is_empty()
    }

    /// About what they take in memory.
    pub(super) fn bytes(&self) -> usize {
        self.codes.len() + 4 * (self.inverse.len() + self.of_doc.len())
    }

    /// A document's own.
    pub(super) fn get(&self, doc: usize) -> Option<Vector> {
        let at = *self.of_doc.get(doc).filter(|at| **at != NONE)? as usize;
        let codes = self.codes.get(at * self.dims..(at + 1) * self.dims)?;
        Some(Vector(codes.into()))
    }

    /// Gives a document its vector. One of other dimensions comes from another model: what was
    /// there before says nothing beside it.
    pub(super) fn set(&mut self, doc: usize, vector: &Vector) {
        if vector.dims() != self.dims {
            *self = Vectors {
                dims: vector.dims(),
                ..Vectors::default()
            };
        }
        let inverse = 1.0 / length(&vector.0);
        match self.of_doc.get(doc).copied().filter(|at| *at != NONE) {
            Some(at) => {
                let at = at as usize;
                self.codes[at * self.dims..(at + 1) * self.dims].copy_from_slice(&vector.0);
                self.inverse[at] = inverse;
            }
            None => {
                if self.of_doc.len() <= doc {
                    self.of_doc.resize(doc + 1, NONE);
                }
                self.of_doc[doc] = self.inverse.len() as u32;
                self.codes.extend_from_slice(&vector.0);
                self.inverse.push(inverse);
            }
        }
    }

    /// The document is gone; its place among the codes stays empty.
    pub(super) fn unset(&mut self, doc: usize) {
        if let Some(at) = self.of_doc.get_mut(doc) {
            *at = NONE;
        }
    }

    /// The cosine of each document with `to`, by document number; NaN where there is no vector, and
    /// for those that are hidden.
    pub(super) fn likeness(&self, to: &Vector, hidden: &[usize]) -> Vec<f32> {
        if to.dims() != self.dims {
            return Vec::new();
        }
        let (wide, length) = (wide(&to.0), length(&to.0));
        let alike = self.codes.chunks_exact(self.dims).zip(&self.inverse);
        let alike: Vec<f32> = alike
            .map(|(codes, inverse)| dot(codes, &wide) as f32 * inverse / length)
            .collect();
        let of_doc = self.of_doc.iter();
        let mut by_doc: Vec<f32> = of_doc
            .map(|at| alike.get(*at as usize).copied().unwrap_or(f32::NAN))
            .collect();
        for &doc in hidden {
            if let Some(alike) = by_doc.get_mut(doc) {
                *alike = f32::NAN;
            }
        }
        by_doc
    }
}

/// One side is widened beforehand, so that the compiler finds the instruction that multiplies and
/// adds pairs of 16 bits: a third faster than with both sides as they are.
fn dot(a: &[i8], b: &[i16]) -> i32 {
    let pairs = a.iter().zip(b);
    pairs
        .map(|(a, b)| i32::from(i16::from(*a)) * i32::from(*b))
        .sum()
}

fn wide(codes: &[i8]) -> Vec<i16> {
    codes.iter().map(|code| i16::from(*code)).collect()
}

fn length(codes: &[i8]) -> f32 {
    (dot(codes, &wide(codes)) as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{KeptTurn, Memories, Ranked, Sight, TurnStatus, rank::Query};
    use std::sync::Arc;

    fn turn(id: &str, at_ms: i64, query: &str, answer: &str) -> Arc<KeptTurn> {
        Arc::new(KeptTurn {
            id: id.into(),
            conversation: "c".into(),
            at_ms,
            query: query.into(),
            answer: answer.into(),
            role: "".into(),
            status: TurnStatus::Complete,
        })
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    /// Numbers that look like chance.
    fn noise(seed: u32, dims: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 - 0.5
        };
        (0..dims).map(|_| next()).collect()
    }

    #[test]
    fn a_byte_a_dimension_keeps_the_cosine() {
        for seed in 0..50 {
            let (a, mut b) = (noise(seed, 384), noise(seed + 1_000, 384));
            let share = seed as f32 / 50.0;
            b.iter_mut()
                .zip(&a)
                .for_each(|(b, a)| *b = a * share + *b * (1.0 - share));
            let mut all = Vectors::default();
            all.set(0, &Vector::of(&a).unwrap());
            let alike = all.likeness(&Vector::of(&b).unwrap(), &[])[0];
            assert!((alike - cosine(&a, &b)).abs() < 0.01, "{alike}");
        }
    }

    #[test]
    fn what_has_no_direction_is_no_vector() {
        for bad in [
            &[][..],
            &[0.0, 0.0],
            &[f32::NAN, 1.0],
            &[f32::INFINITY, 1.0],
        ] {
            assert_eq!(Vector::of(bad), None);
        }
        assert_eq!(Vector::of(&vec![1.0; MOST_DIMENSIONS + 1]), None);
        assert_eq!(Vector::from_bytes(&[]), None);
        let some = Vector::of(&[0.5, -1.0, 0.0]).unwrap();
        assert_eq!(Vector::from_bytes(&some.bytes()), Some(some));
    }

    #[test]
    fn documents_have_their_own_or_none_and_another_model_starts_anew() {
        let (east, north) = (Vector::of(&[1.0, 0.0]), Vector::of(&[0.0, 1.0]));
        let (east, north) = (east.unwrap(), north.unwrap());
        let mut all = Vectors::default();
        all.set(3, &east);
        all.set(1, &east);
        all.set(1, &north);
        let alike = all.likeness(&north, &[]);
        assert!(alike[0].is_nan() && alike[2].is_nan());
        assert_eq!((alike[1], alike[3]), (1.0, 0.0));
        assert!(all.likeness(&north, &[1])[1].is_nan());
        assert_eq!((all.get(3), all.get(2)), (Some(east), None));
        all.unset(3);
        assert!(all.get(3).is_none() && all.likeness(&north, &[])[3].is_nan());
        let other = Vector::of(&[1.0, 1.0, 1.0]).unwrap();
        assert!(all.likeness(&other, &[]).is_empty());
        all.set(0, &other);
        assert!(all.get(0).is_some() && all.get(3).is_none());
    }

    #[test]
    fn what_is_meant_is_found_without_a_common_word_also_after_a_rebuild() {
        let turns = [
            turn("a", 1, "Our terrier was ill", ""),
            turn("b", 2, "The tax office wrote", ""),
            turn("c", 3, "The flat is cold", ""),
        ];
        let memories = Memories::of(&turns);
        assert!(!memories.have_vectors());
        let bytes = memories.bytes();
        let vector = |raw: [f32; 2]| Vector::of(&raw).unwrap();
        memories.embed(&"a".into(), "Our terrier was ill", &vector([1.0, 0.1]));
        memories.embed(&"b".into(), "The tax office wrote", &vector([0.0, 1.0]));
        memories.embed(&"b".into(), "said otherwise", &vector([1.0, 0.0]));
        memories.embed(&"x".into(), "nobody's", &vector([1.0, 0.0]));
        assert!(memories.have_vectors() && memories.bytes() > bytes);
        let meant = Meant {
            vector: vector([1.0, 0.0]),
            weight: 0.5,
        };
        let query = Query {
            text: "dog",
            ..Query::default()
        };
        let found = || {
            let ranked = memories.rank(&query, Some(&meant), 9, &Sight::default());
            let why = |r: &Ranked| (r.turn.id.to_string(), r.why.semantic > 0.4);
            ranked.iter().map(why).collect::<Vec<_>>()
        };
        assert_eq!(found(), [("a".into(), true)]);
        assert!(memories.rank(&query, None, 9, &Sight::default()).is_empty());
        for n in 0..200 {
            memories.remember(&turn("d", 4, "Any news?", &format!("number{n}")));
        }
        assert!(memories.len() < 100);
        assert_eq!(found(), [("a".into(), true)]);
    }

    /// `cargo test --release --lib memory::vector::tests::cost -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn cost() {
        for dims in [384, 1_024] {
            let mut all = Vectors::default();
            for doc in 0..10_000 {
                all.set(doc, &Vector::of(&noise(doc as u32, dims)).unwrap());
            }
            let query = Vector::of(&noise(77, dims)).unwrap();
            let mut best = f64::MAX;
            for _ in 0..50 {
                let start = std::time::Instant::now();
                std::hint::black_box(all.likeness(std::hint::black_box(&query), &[]));
                best = best.min(start.elapsed().as_secs_f64());
            }
            println!("10,000 vectors of {dims}: {:.3} ms", best * 1e3);
        }
    }
}
