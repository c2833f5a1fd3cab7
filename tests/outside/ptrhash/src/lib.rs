//! Every id of the bundle, and of a table baked here, is found although `ptrhash` is on.

#[cfg(test)]
mod tests {
    use bedrock_catalog_data::{Catalog, Policy};

    mod own {
        include!(concat!(env!("OUT_DIR"), "/bedrock_catalog.rs"));
    }
    include!(concat!(env!("OUT_DIR"), "/theirs.rs"));

    #[test]
    fn every_key_is_found() {
        for catalog in [Catalog::bundled(), &own::CATALOG] {
            assert_eq!(catalog.all_models().len(), 163);
            for model in catalog.all_models() {
                assert_eq!(catalog.model(model.id()), Some(model));
                assert!(catalog.model(&format!("{}~", model.id())).is_none());
            }
            for profile in catalog.all_profiles() {
                assert_eq!(catalog.profile(profile.id()), Some(profile));
            }
            for region in catalog.regions() {
                assert_eq!(catalog.region(region.id()), Some(region));
            }
        }
        assert_eq!(Catalog::bundled(), &own::CATALOG);
    }

    #[test]
    fn constants_of_one_catalog_are_ids_for_another() {
        let sonnet = own::models::ANTHROPIC_CLAUDE_SONNET_4_6;
        for catalog in [Catalog::bundled(), &own::CATALOG] {
            let route = catalog.route(&sonnet, own::regions::EU_CENTRAL_1, Policy::Geography);
            assert_eq!(route.unwrap().inference_id(), "eu.anthropic.claude-sonnet-4-6");
        }
    }

    #[test]
    fn the_others_tables_work_too() {
        assert_eq!(THEIRS.get("b"), Some(&2));
    }
}
