//! What was gathered → tables: everything in its order, every run where it begins. Nothing is checked
//! here any more.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::{Builder, sorted, too_many};
use crate::document::{LifecycleEntry, ModelEntry, ProfileEntry, geography_of};
use crate::error::Error;
use crate::query;
use crate::rows::{
    AccessRow, LifecycleRow, LinkRow, ModelRow, NONE, ProfileRow, RegionRow, Run, Tables,
};
use crate::text::{StaticList, StaticText, Text};

impl Builder<'_> {
    pub(super) fn tables(mut self) -> Result<Tables, Error> {
        let document = self.document;
        for entry in &document.models {
            for access in &entry.access {
                self.list(entry, access)?;
            }
        }
        for entry in &document.profiles {
            self.link(entry)?;
        }
        u32::try_from(self.links.len()).map_err(|_| too_many("routes", u32::MAX as usize))?;
        let (access, links, cells) = self.access();
        let mut model_profiles = Vec::new();
        let by_profile = links.iter().map(|link| usize::from(link.profile));
        let (begins, profile_links) = grouped(self.profiles.len(), by_profile);
        let models = self.models(&access, &links, &mut model_profiles);
        let facets = models.iter().map(|row| {
            let has_way_in = row.access.of(&access).iter().any(AccessRow::has_way_in);
            query::facets(row, has_way_in)
        });
        Ok(Tables {
            brand: crate::id::UNBRANDED,
            partition: owned(&document.partition),
            observed_at: document.observed_at,
            digest: StaticText::Borrowed(""),
            facets: facets.collect::<Vec<_>>().into(),
            models: models.into(),
            profiles: self.profiles(&begins).into(),
            regions: self.regions(&access, &links, &profile_links).into(),
            cells: cells.into(),
            access: access.into(),
            links: links.into(),
            types: self
                .types
                .drain(..)
                .map(StaticList::Owned)
                .collect::<Vec<_>>()
                .into(),
            destinations: self.destinations.into(),
            model_profiles: model_profiles.into(),
            profile_links: profile_links.into(),
        })
    }

    /// The rows of access and of links in the order of (model, region), what `place` walks, and the
    /// access row of each (region, model).
    fn access(&self) -> (Vec<AccessRow>, Vec<LinkRow>, Vec<u16>) {
        let (models, regions) = (self.models.len(), self.regions.rows.len());
        let by_pair = self.links.iter().map(|link| link.access as usize);
        let (begins, order) = grouped(self.pairs.len(), by_pair);
        let mut access = Vec::with_capacity(self.pairs.len());
        let mut links = Vec::with_capacity(self.links.len());
        let mut cells = vec![NONE; models * regions];
        let met = self.place.iter().filter(|&&pair| pair != NONE);
        let pairs = met.filter_map(|&pair| {
            let (pair, next) = (usize::from(pair), usize::from(pair) + 1);
            let own = *begins.get(pair)? as usize..*begins.get(next)? as usize;
            Some((self.pairs.get(pair)?, order.get(own)?))
        });
        for ((pair, own), number) in pairs.zip(0u16..) {
            let start = links.len();
            links.extend(own.iter().filter_map(|&link| {
                let link = *self.links.get(link as usize)?;
                Some(LinkRow {
                    access: u32::from(number),
                    ..link
                })
            }));
            let own = links.get_mut(start..).unwrap_or_default();
            // Bounded before global, then by destinations and profile: profiles are numbered in the
            // order of their ids.
            own.sort_unstable_by_key(|link| (link.global, link.destinations.len, link.profile));
            let bounded = own.partition_point(|link| !link.global);
            access.push(AccessRow {
                model: pair.model,
                region: pair.region,
                types: pair.types,
                flags: pair.flags,
                // Both fit: a pair has at most one link per profile.
                links: Run::new(start as u32, own.len() as u16),
                bounded: bounded as u16,
            });
            let cell = usize::from(pair.region) * models + usize::from(pair.model);
            if let Some(cell) = cells.get_mut(cell) {
                *cell = number;
            }
        }
        (access, links, cells)
    }

    fn models(
        &self,
        access: &[AccessRow],
        links: &[LinkRow],
        pool: &mut Vec<u16>,
    ) -> Vec<ModelRow> {
        let mut entries: Vec<&ModelEntry<'_>> = self.document.models.iter().collect();
        entries.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let mut rest = access;
        let mut profiles: Vec<u16> = Vec::new();
        let row = |(entry, number): (&ModelEntry<'_>, u16)| {
            let own = rest.partition_point(|row| row.model <= number);
            let start = access.len() - rest.len();
            let (own, others) = rest.split_at_checked(own).unwrap_or_default();
            rest = others;
            let serving = own.iter().flat_map(|row| row.links.of(links));
            profiles.clear();
            profiles.extend(serving.map(|link| link.profile));
            profiles.sort_unstable();
            profiles.dedup();
            let run = Run::new(pool.len() as u32, profiles.len() as u16);
            pool.extend_from_slice(&profiles);
            ModelRow {
                id: owned(&entry.id),
                name: entry.name.as_ref().map(owned),
                provider: entry.provider.as_ref().map(owned),
                input: entry.input_modalities.as_deref().map(list),
                output: entry.output_modalities.as_deref().map(list),
                streaming: entry.streaming,
                customizations: entry.customizations.as_deref().map(list),
                lifecycle: LifecycleRow::from(&entry.lifecycle),
                last_seen: entry.last_seen,
                retired: entry.retired,
                constant: entry.constant.as_ref().map(owned),
                access: Run::new(start as u32, own.len() as u16),
                profiles: run,
            }
        };
        entries.into_iter().zip(0u16..).map(row).collect()
    }

    /// The rows of the profiles, of which the links of each begin where `begins` says.
    fn profiles(&self, begins: &[u32]) -> Vec<ProfileRow> {
        let mut entries: Vec<&ProfileEntry<'_>> = self.document.profiles.iter().collect();
        entries.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let row = |(entry, &[start, end]): (&ProfileEntry<'_>, &[u32; 2])| {
            let models = entry.routes.iter().map(|route| &*route.model);
            let geography = entry.geography.clone();
            ProfileRow {
                id: owned(&entry.id),
                name: entry.name.as_ref().map(owned),
                description: entry.description.as_ref().map(owned),
                status: entry.status.as_ref().map(owned),
                geography: geography.or_else(|| geography_of(&entry.id, models)),
                last_seen: entry.last_seen,
                retired: entry.retired,
                constant: entry.constant.as_ref().map(owned),
                // Fits: a profile has at most one link per pair.
                links: Run::new(start, (end - start) as u16),
            }
        };
        entries
            .into_iter()
            .zip(begins.array_windows())
            .map(row)
            .collect()
    }

    fn regions(
        &self,
        access: &[AccessRow],
        links: &[LinkRow],
        by_profile: &[u32],
    ) -> Vec<RegionRow> {
        let mut rows: Vec<RegionRow> = self
            .regions
            .rows
            .iter()
            .map(|&(id, recorded)| RegionRow {
                id: StaticText::Owned(String::from(id)),
                recorded,
                stale_since: self.document.stale.get(id).copied(),
                models: 0,
                on_demand: 0,
                profiles: 0,
            })
            .collect();
        for row in access {
            if let Some(region) = rows.get_mut(usize::from(row.region)) {
                region.models += 1;
                region.on_demand += u16::from(row.is(AccessRow::ON_DEMAND));
            }
        }
        // Once for each profile, though it may serve several models from there.
        let mut last = vec![NONE; rows.len()];
        for link in by_profile
            .iter()
            .filter_map(|&link| links.get(link as usize))
        {
            let Some(row) = access.get(link.access as usize) else {
                continue;
            };
            let region = usize::from(row.region);
            if let (Some(row), Some(last)) = (rows.get_mut(region), last.get_mut(region))
                && *last != link.profile
            {
                *last = link.profile;
                row.profiles += 1;
            }
        }
        rows
    }
}

/// The numbers of items, group by group, in their order within each, and where each group begins. One
/// more beginning than groups: the end.
fn grouped(groups: usize, of: impl Iterator<Item = usize> + Clone) -> (Vec<u32>, Vec<u32>) {
    let mut begins = vec![0u32; groups + 2];
    for group in of.clone() {
        if let Some(count) = begins.get_mut(group + 2) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for begin in &mut begins {
        sum += *begin;
        *begin = sum;
    }
    // A group's entry but one is where its next item goes; at the end it is where the next group begins.
    let mut order = vec![0u32; sum as usize];
    for (group, number) in of.zip(0u32..) {
        if let Some(next) = begins.get_mut(group + 1) {
            if let Some(place) = order.get_mut(*next as usize) {
                *place = number;
            }
            *next += 1;
        }
    }
    begins.pop();
    (begins, order)
}

fn owned(text: &Text<'_>) -> StaticText {
    text.clone().into_static()
}

fn list<T: Clone + Ord>(words: &[T]) -> StaticList<T> {
    StaticList::Owned(sorted(words))
}

impl From<&LifecycleEntry> for LifecycleRow {
    fn from(entry: &LifecycleEntry) -> Self {
        Self {
            status: entry.status.clone(),
            start: entry.start,
            legacy: entry.legacy,
            extended_access: entry.extended_access,
            end_of_life: entry.end_of_life,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_keep_the_order_of_their_items() {
        let of = [3, 0, 3, 1, 0, 3];
        let (begins, order) = grouped(5, of.into_iter());
        assert_eq!(order, [1, 4, 3, 0, 2, 5]);
        assert_eq!(begins, [0, 2, 3, 3, 6, 6]);
        assert_eq!(grouped(0, core::iter::empty()), (vec![0], vec![]));
    }
}
