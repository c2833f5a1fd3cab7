//! Times alternatives side by side: every round runs each of them once, in turn, so that a noisy
//! machine is noisy for all; the fastest round of each counts. (Criterion times one after the other.)

use std::hint::black_box;
use std::time::Instant;

/// One way to do the work: its name, and the work for a number of rounds over all inputs.
pub struct Contender<'a> {
    pub name: &'a str,
    pub run: Box<dyn FnMut() + 'a>,
}

/// A contender.
pub fn contender<'a, R>(name: &'a str, mut work: impl FnMut() -> R + 'a) -> Contender<'a> {
    Contender {
        name,
        run: Box::new(move || {
            black_box(work());
        }),
    }
}

/// Runs all contenders and prints nanoseconds per operation and the ratio to the first.
/// `operations` is how many of them one run does.
pub fn compare(title: &str, operations: usize, mut contenders: Vec<Contender<'_>>) -> Vec<f64> {
    const ROUNDS: usize = 500;
    let mut best = vec![f64::INFINITY; contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, best) in contenders.iter_mut().zip(&mut best) {
            let begun = Instant::now();
            (contender.run)();
            *best = best.min(begun.elapsed().as_nanos() as f64 / operations as f64);
        }
    }
    println!("\n{title}");
    for (contender, &time) in contenders.iter().zip(&best) {
        println!(
            "  {:<46} {time:>9.1} ns   {:>6.2}×",
            contender.name,
            time / best[0]
        );
    }
    best
}
