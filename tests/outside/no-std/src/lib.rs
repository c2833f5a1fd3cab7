//! Asks the bundle without std.
#![no_std]
#![allow(missing_docs)]

use bedrock_catalog_data::{Catalog, Policy, models, regions};

#[global_allocator]
static ALLOCATOR: libc_alloc::LibcAlloc = libc_alloc::LibcAlloc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// How many regions a request from Frankfurt may be served in.
pub extern "C" fn destinations() -> usize {
    let sonnet = models::ANTHROPIC_CLAUDE_SONNET_4_6;
    let route = Catalog::bundled().route(sonnet, regions::EU_CENTRAL_1, Policy::Geography);
    route.map_or(0, |route| route.destinations().iter().len())
}
