//! Bakes `recording/` into `OUT_DIR/bedrock_catalog.rs`.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    bedrock_catalog_gen::BuildScript::new("recording")
        .for_data_crate()
        .write()?;
    Ok(())
}
