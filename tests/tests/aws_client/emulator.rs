//! Against a server of somebody else's, where there is one: `BEDROCK_CATALOG_EMULATOR` is its URL.
