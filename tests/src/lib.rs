//! Whole-system tests of the Bedrock catalog, and the stage they run on.
