// In which order flash is told of tracks. What tracks are for is shown by the tests of their sources.
#include "logs/track_table.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <vector>

#include "sim/world.h"

namespace limpet {
namespace {

constexpr size_t kTracks = 8;

struct Table {
  std::vector<std::max_align_t> memory =
      std::vector<std::max_align_t>(TrackTable::BytesNeeded(kTracks, 1) / sizeof(std::max_align_t) + 1);
  sim::SimLog log;
  TrackTable tracks{std::as_writable_bytes(std::span(memory)), kTracks, 1, log};
  std::array<uint8_t, 16> identity{};

  Table() { tracks.KeptEnds(); }
  /// Ids of what is written at once: two at most.
  std::vector<TrackId> Write() {
    std::array<TrackChange, 2> changes;
    std::vector<TrackId> ids;
    const size_t count = tracks.FillChanges(changes);
    for (const TrackChange& change : std::span(changes).first(count)) ids.push_back(change.id);
    tracks.ChangesWritten(true);
    return ids;
  }
};

// A track that takes over from older ones is on flash before those are given up, whatever does not fit at once:
// a crash in between may leave both, and never neither.
TEST(TrackTable, WhatIsNewIsWrittenFirst) {
  Table table;
  std::array<Track*, 4> old;
  for (Track*& track : old) track = table.tracks.Add(0, table.identity, 0);
  EXPECT_EQ(table.Write(), (std::vector<TrackId>{1, 2}));
  EXPECT_EQ(table.Write(), (std::vector<TrackId>{3, 4}));
  ASSERT_TRUE(table.tracks.Describe(*old[0], table.identity, true));
  table.tracks.Release(*old[1]);
  table.tracks.Release(*old[2]);
  Track* const fresh = table.tracks.Add(0, table.identity, 0);
  EXPECT_FALSE(table.tracks.Ready(*fresh));
  EXPECT_EQ(table.Write(), (std::vector<TrackId>{5, 1}));
  EXPECT_TRUE(table.tracks.Ready(*fresh));
  EXPECT_EQ(table.Write(), (std::vector<TrackId>{2, 3}));
  EXPECT_TRUE(table.Write().empty());
}

}  // namespace
}  // namespace limpet
