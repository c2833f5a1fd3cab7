//! Asks a catalog that this crate's build script baked from `recording/`.
use bedrock_catalog_data::Policy;

mod catalog {
    include!(concat!(env!("OUT_DIR"), "/bedrock_catalog.rs"));
}

fn main() -> Result<(), bedrock_catalog_data::QueryError> {
    let model = catalog::models::EXAMPLE_WRITER_V1;
    let route = catalog::CATALOG.route(model, catalog::regions::US_GOV_WEST_1, Policy::Geography)?;
    println!("{} → {}", route.inference_id(), route.destinations());
    assert_eq!(route.inference_id(), "us-gov.example.writer-v1");
    assert_eq!(catalog::CATALOG.partition(), "aws-us-gov");
    Ok(())
}
