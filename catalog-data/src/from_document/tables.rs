//! Numbered rows to tables: sorts rows and fills in ranges. References are already checked.

use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use super::{Builder, Ids, Lists, too_many};
use crate::catalog::Catalog;
use crate::document::{LifecycleEntry, ModelEntry, ProfileEntry};
use crate::enums::Geography;
use crate::error::QueryError;
use crate::filter::Facets;
use crate::rows::{
    AccessRow, LifecycleRow, LinkRow, ModelRow, NONE, ProfileRow, RegionRow, Run, Tables,
};
use crate::text::StaticText;

impl Builder<'_> {
    pub(super) fn catalog(mut self) -> Result<Catalog, QueryError> {
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
        let models = self.models(&access, &links, &mut model_profiles)?;
        let profiles = self.profiles(&begins)?;
        let regions = self.regions(&access, &links, &profile_links)?;
        let (modalities, customizations) =
            (self.modalities.into_rows(), self.customizations.into_rows());
        let facets = Facets::new(&modalities, &customizations);
        let facets = models.iter().map(|row| {
            let is_callable = row.access.of(&access).iter().any(AccessRow::is_callable);
            facets.of(row, is_callable)
        });
        let tables = Tables {
            brand: crate::id::UNBRANDED,
            partition: StaticText::Owned((*document.partition).into()),
            observed_at: document.observed_at,
            digest: StaticText::Borrowed(""),
            facets: facets.collect::<Vec<_>>().into(),
            models: models.into(),
            profiles: profiles.into(),
            regions: regions.into(),
            texts: self.texts.into_text().into(),
            cells: cells.into(),
            model_ids: &[],
            profile_ids: &[],
            access: access.into(),
            links: links.into(),
            types: self.types.into_rows().into(),
            modalities: modalities.into(),
            customizations: customizations.into(),
            destinations: self.destinations.into(),
            model_profiles: model_profiles.into(),
            profile_links: profile_links.into(),
        };
        let ids = [self.models, self.profiles, self.regions];
        Ok(Catalog::built(tables, ids.map(Ids::into_index)))
    }

    /// The rows of access and of links sorted by (model, region), and the access row of each (region,
    /// model).
    fn access(&mut self) -> (Vec<AccessRow>, Vec<LinkRow>, Vec<u16>) {
        // Taken, so that the memory is free before the rows of models and profiles are built.
        let (pairs, numbers) = (mem::take(&mut self.pairs), mem::take(&mut self.cells));
        let unsorted = mem::take(&mut self.links);
        let (models, regions) = (self.models.len(), self.regions.len());
        let by_pair = unsorted.iter().map(|link| usize::from(link.access));
        let (begins, order) = grouped(pairs.len(), by_pair);
        let mut access = Vec::with_capacity(pairs.len());
        let mut links = Vec::with_capacity(unsorted.len());
        let mut cells = vec![NONE; models * regions];
        let sorted = numbers.iter().filter(|&&pair| pair != NONE);
        let sorted = sorted.filter_map(|&pair| {
            let (pair, next) = (usize::from(pair), usize::from(pair) + 1);
            let own = *begins.get(pair)? as usize..*begins.get(next)? as usize;
            Some((pairs.get(pair)?, order.get(own)?))
        });
        for ((pair, own), number) in sorted.zip(0u16..) {
            let start = links.len();
            links.extend(own.iter().filter_map(|&link| {
                let link = *unsorted.get(link as usize)?;
                Some(LinkRow {
                    access: number,
                    ..link
                })
            }));
            let own = links.get_mut(start..).unwrap_or_default();
            // In order of preference. Profiles are numbered in the order of their ids.
            own.sort_unstable_by_key(|link| {
                (link.is_global(), link.destinations.len, link.profile)
            });
            let bounded = own.partition_point(|link| !link.is_global());
            access.push(AccessRow {
                model: pair.model,
                region: pair.region,
                types: pair.types,
                flags: pair.flags,
                // These fit: a pair has at most one link per profile.
                link: start as u32,
                links: own.len() as u16,
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
        &mut self,
        access: &[AccessRow],
        links: &[LinkRow],
        pool: &mut Vec<u16>,
    ) -> Result<Vec<ModelRow>, QueryError> {
        let mut entries: Vec<&ModelEntry<'_>> = self.document.models.iter().collect();
        entries.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let mut rest = access;
        let mut profiles: Vec<u16> = Vec::new();
        let row = |(entry, number): (&ModelEntry<'_>, u16)| {
            let own = rest.partition_point(|row| row.model <= number);
            let start = access.len() - rest.len();
            let (own, others) = rest.split_at_checked(own).unwrap_or_default();
            rest = others;
            let serving = own.iter().flat_map(|row| row.links().of(links));
            profiles.clear();
            profiles.extend(serving.map(|link| link.profile));
            profiles.sort_unstable();
            profiles.dedup();
            let run = Run::new(pool.len() as u32, profiles.len() as u16);
            pool.extend_from_slice(&profiles);
            Ok(ModelRow {
                id: self.texts.push(&entry.id)?,
                name: self.texts.push_optional(entry.name.as_ref())?,
                provider: self.texts.push_optional(entry.provider.as_ref())?,
                input: list_number(&mut self.modalities, entry.input_modalities.as_deref())?,
                output: list_number(&mut self.modalities, entry.output_modalities.as_deref())?,
                streaming: entry.streaming,
                customizations: list_number(
                    &mut self.customizations,
                    entry.customizations.as_deref(),
                )?,
                lifecycle: LifecycleRow::from(&entry.lifecycle),
                last_seen: entry.last_seen,
                retired: entry.retired,
                constant: self.texts.push_optional(entry.constant.as_ref())?,
                access: Run::new(start as u32, own.len() as u16),
                profiles: run,
            })
        };
        entries.into_iter().zip(0u16..).map(row).collect()
    }

    /// The rows of the profiles. `begins` holds where the links of each profile begin, and the end.
    fn profiles(&mut self, begins: &[u32]) -> Result<Vec<ProfileRow>, QueryError> {
        let mut entries: Vec<&ProfileEntry<'_>> = self.document.profiles.iter().collect();
        entries.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let row = |(entry, &[start, end]): (&ProfileEntry<'_>, &[u32; 2])| {
            let models = entry.routes.iter().map(|route| &*route.model);
            let geography = entry.geography.clone();
            Ok(ProfileRow {
                id: self.texts.push(&entry.id)?,
                name: self.texts.push_optional(entry.name.as_ref())?,
                description: self.texts.push_optional(entry.description.as_ref())?,
                status: self.texts.push_optional(entry.status.as_ref())?,
                geography: geography.or_else(|| Geography::of_profile(&entry.id, models)),
                last_seen: entry.last_seen,
                retired: entry.retired,
                constant: self.texts.push_optional(entry.constant.as_ref())?,
                // Fits: a profile has at most one link per pair.
                links: Run::new(start, (end - start) as u16),
            })
        };
        entries
            .into_iter()
            .zip(begins.array_windows())
            .map(row)
            .collect()
    }

    fn regions(
        &mut self,
        access: &[AccessRow],
        links: &[LinkRow],
        by_profile: &[u32],
    ) -> Result<Vec<RegionRow>, QueryError> {
        let ids = self.regions.iter().zip(&self.recorded);
        let row = |(id, &recorded): (&str, &bool)| {
            Ok(RegionRow {
                id: self.texts.push(id)?,
                recorded,
                stale_since: self.document.stale.get(id).copied(),
                models: 0,
                on_demand: 0,
                profiles: 0,
            })
        };
        let rows: Result<Vec<RegionRow>, QueryError> = ids.map(row).collect();
        let mut rows = rows?;
        for row in access {
            if let Some(region) = rows.get_mut(usize::from(row.region)) {
                region.models += 1;
                region.on_demand += u16::from(row.is(AccessRow::ON_DEMAND));
            }
        }
        // A profile counts once, also if it serves several models from the region.
        let mut last = vec![NONE; rows.len()];
        for link in by_profile
            .iter()
            .filter_map(|&link| links.get(link as usize))
        {
            let Some(row) = access.get(usize::from(link.access)) else {
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
        Ok(rows)
    }
}

/// A counting sort: where each group begins (and the end), and the numbers of the items, group by group.
/// `of` yields the group of each item.
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
    // Entry `group + 1` is where the next item of the group goes; finally it is the group's end.
    let mut order = vec![0u32; sum as usize];
    for (group, number) in of.zip(0u32..) {
        if let Some(next) = begins.get_mut(group + 1) {
            if let Some(slot) = order.get_mut(*next as usize) {
                *slot = number;
            }
            *next += 1;
        }
    }
    begins.pop();
    (begins, order)
}

/// The number of a list; [`NONE`] if it is unknown.
fn list_number<T: Clone + Ord>(
    lists: &mut Lists<T>,
    list: Option<&[T]>,
) -> Result<u16, QueryError> {
    list.map_or(Ok(NONE), |list| lists.number(list))
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
