//! Asks the bundle everything between two system calls that a tracer can see. A tests' program.

use std::hint::black_box;

use bedrock_catalog::{Catalog, Filter, Modality, Policy, models, regions};

/// The calls around the questions; no such files are there.
fn mark(name: &str) {
    // The answer does not matter.
    let _ = std::fs::metadata(name);
}

fn main() {
    let filter = Filter::new()
        .region("eu-west-1")
        .input(Modality::Image)
        .streaming(true);
    // The first such call of a process asks the system what it can do.
    mark("/questions-soon");
    mark("/questions-begin");
    let catalog = black_box(Catalog::bundled());
    let mut answers = 0usize;
    for region in catalog.regions() {
        for model in catalog.all_models() {
            let (model, region) = (black_box(model.id()), black_box(region.id()));
            answers += usize::from(catalog.model(model).is_some());
            let Ok(access) = catalog.access(model, region) else {
                continue;
            };
            answers += access.profiles().count();
            let route = access.route(Policy::Any);
            answers += route.map_or(0, |route| route.inference_id().len());
        }
    }
    let route = catalog.route(
        models::ANTHROPIC_CLAUDE_SONNET_4_6,
        regions::EU_CENTRAL_1,
        Policy::Geography,
    );
    answers += route.map_or(0, |route| route.destinations().iter().count());
    answers += catalog.select(&filter).count();
    black_box(answers);
    mark("/questions-end");
    println!("{answers}");
}
