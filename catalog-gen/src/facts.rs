//! Emits the tables of facts as statics.

use bedrock_catalog_data::Catalog;
use bedrock_catalog_data::baked_v1::{
    FactRow, OpenEnum, PriceRow, Run, Scope, SourceRow, StaticList,
};
use proc_macro2::TokenStream;
use quote::quote;

use crate::tables::{date, number, numbers, open_enum, run, statics};

/// The tables of the facts of a catalog, and `FACTS`. Without facts, `FACTS` alone.
pub(crate) fn emit(catalog: &Catalog) -> TokenStream {
    let (tables, of_models) = catalog.fact_tables();
    if tables.sources.is_empty() {
        return quote! {
            /// No facts.
            pub const FACTS: BakedFacts = BakedFacts::NONE;
        };
    }
    let sources = tables.sources.iter().map(source);
    let sources = statics("SOURCES", quote!(SourceRow), sources);
    let rows = [
        ("FACTS_OF_MODELS", &tables.models),
        ("FACTS_OF_MANTLE", &tables.mantle),
        ("FACTS_OF_FORMER", &tables.former),
    ];
    let rows = rows.map(|(name, rows)| statics(name, quote!(FactRow), rows.iter().map(row)));
    let values = tables.values.iter().map(|value| {
        let (kind, mark, value) = value.parts();
        let kind = quote::format_ident!("{kind:?}");
        let (mark, value) = (number(mark), number(value));
        quote!(ValueRow::new(FactKind::#kind, #mark, #value))
    });
    let values = statics("VALUES", quote!(ValueRow), values);
    let members = tables.members.iter().map(|member| {
        let (member, yes, mark) = member.parts();
        let (member, mark) = (number(member), number(mark));
        quote!(MemberRow::new(#member, #yes, #mark))
    });
    let members = statics("MEMBERS", quote!(MemberRow), members);
    let quotas = tables.quotas.iter().map(|quota| {
        let (endpoint, code, metric) = quota.parts();
        let (endpoint, code, metric) = (number(endpoint), number(code), number(metric));
        quote!(QuotaRow::new(#endpoint, #code, #metric))
    });
    let quotas = statics("QUOTAS", quote!(QuotaRow), quotas);
    let prices = statics("PRICES", quote!(PriceRow), tables.prices.iter().map(price));
    let amounts = tables.amounts.iter().map(|amount| {
        let (term, mantissa, scale) = amount.parts();
        let (term, mantissa, scale) = (number(term), number(mantissa), number(scale));
        quote!(AmountRow::new(#term, #mantissa, #scale))
    });
    let amounts = statics("AMOUNTS", quote!(AmountRow), amounts);
    let price_terms = tables.terms.iter().map(|term| {
        let (kind, unit, above, currency) = term.parts();
        let (kind, unit) = (number(kind), number(unit));
        let (above, currency) = (number(above), number(currency));
        quote!(TermRow::new(#kind, #unit, #above, #currency))
    });
    let price_terms = statics("PRICE_TERMS", quote!(TermRow), price_terms);
    let words = numbers("WORDS", quote!(u32), &tables.words);
    let runs = [
        runs("LISTS", &tables.lists),
        runs("QUOTA_LISTS", &tables.quota_lists),
    ];
    let terms = [
        terms("CAPABILITIES", &tables.capabilities),
        terms("APIS", &tables.apis),
        terms("LEVELS", &tables.levels),
        terms("TIERS", &tables.tiers),
        terms("PRICE_KINDS", &tables.kinds),
        terms("UNITS", &tables.units),
        terms("METRICS", &tables.metrics),
        terms("GEOGRAPHIES", &tables.geographies),
    ];
    let of_models = numbers("OF_MODELS", quote!(u16), of_models);
    let texts = (0u16..).take(tables.words.len());
    let texts = texts.map(|number| tables.word(number));
    quote! {
        /// The facts.
        pub const FACTS: BakedFacts = BakedFacts { tables: &TABLES, of_models: &OF_MODELS };

        static TABLES: FactTables = FactTables {
            sources: Borrowed(&SOURCES),
            models: Borrowed(&FACTS_OF_MODELS),
            mantle: Borrowed(&FACTS_OF_MANTLE),
            former: Borrowed(&FACTS_OF_FORMER),
            values: Borrowed(&VALUES),
            lists: Borrowed(&LISTS),
            members: Borrowed(&MEMBERS),
            quota_lists: Borrowed(&QUOTA_LISTS),
            quotas: Borrowed(&QUOTAS),
            prices: Borrowed(&PRICES),
            amounts: Borrowed(&AMOUNTS),
            terms: Borrowed(&PRICE_TERMS),
            words: Borrowed(&WORDS),
            texts: Borrowed(TEXTS),
            capabilities: Borrowed(&CAPABILITIES),
            apis: Borrowed(&APIS),
            levels: Borrowed(&LEVELS),
            tiers: Borrowed(&TIERS),
            kinds: Borrowed(&PRICE_KINDS),
            units: Borrowed(&UNITS),
            metrics: Borrowed(&METRICS),
            geographies: Borrowed(&GEOGRAPHIES),
        };
        #sources
        #(#rows)*
        #values
        #(#runs)*
        #members
        #quotas
        #prices
        #amounts
        #price_terms
        #words
        #(#terms)*
        #of_models
        static TEXTS: &str = concat!(#(#texts),*);
    }
}

fn source(row: &SourceRow) -> TokenStream {
    let [name, title, url, license] = [row.name, row.title, row.url, row.license].map(number);
    let as_of = date(row.as_of);
    quote!(SourceRow { name: #name, title: #title, url: #url, license: #license, as_of: #as_of })
}

fn row(row: &FactRow) -> TokenStream {
    let (id, base, values, values_len, prices, prices_len) = row.parts();
    let (id, base) = (number(id), number(base));
    let (values, values_len) = (number(values), number(values_len));
    let (prices, prices_len) = (number(prices), number(prices_len));
    quote!(FactRow::new(#id, #base, #values, #values_len, #prices, #prices_len))
}

fn price(row: &PriceRow) -> TokenStream {
    let (of, tier, mark, amounts, len) = row.parts();
    let of = match of {
        Scope::Global => quote!(Scope::Global),
        Scope::InRegion(list) => scope("InRegion", list),
        Scope::Geography(list) => scope("Geography", list),
        Scope::Mantle(list) => scope("Mantle", list),
    };
    let (tier, mark, len) = (number(tier), number(mark), number(len));
    let amounts = number(amounts);
    quote!(PriceRow::new(#of, #tier, #mark, #amounts, #len))
}

fn scope(variant: &str, list: u16) -> TokenStream {
    let (variant, list) = (quote::format_ident!("{variant}"), number(list));
    quote!(Scope::#variant(#list))
}

fn runs(name: &str, rows: &[Run]) -> TokenStream {
    statics(name, quote!(Run), rows.iter().map(|&row| run(row)))
}

fn terms<E: OpenEnum + Clone>(name: &str, terms: &StaticList<E>) -> TokenStream {
    let of = quote::format_ident!("{}", E::NAME);
    statics(name, quote!(#of), terms.iter().map(open_enum))
}
