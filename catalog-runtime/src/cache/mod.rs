//! A general tiered cache. It knows nothing of Bedrock: keys and bytes in, keys and bytes out.
