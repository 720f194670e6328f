#include "collect/flash_group.h"

namespace limpet {
namespace {

constexpr Metric kStatus{"hw.status", "1", Instrument::kUpDownCounter};
constexpr Metric kEndurance{"hw.physical_disk.endurance_utilization", "1", Instrument::kGauge};
constexpr Metric kSize{"hw.physical_disk.size", "By", Instrument::kUpDownCounter};
constexpr Metric kErrors{"hw.errors", "{error}", Instrument::kCounter};
constexpr Metric kMtdBad{"system.linux.mtd.bad_blocks", "{block}", Instrument::kUpDownCounter};
constexpr Metric kUbiErased{"system.linux.ubi.erase_count.max", "{erase}", Instrument::kGauge};
constexpr Metric kUbiBlocks{"system.linux.ubi.blocks", "{block}", Instrument::kUpDownCounter};
constexpr Metric kUbiBad{"system.linux.ubi.bad_blocks", "{block}", Instrument::kUpDownCounter};
constexpr Metric kUbiReserved{"system.linux.ubi.reserved_blocks", "{block}", Instrument::kUpDownCounter};

constexpr Attribute kDiskType[] = {{"hw.type", "physical_disk"}};
constexpr Attribute kTypeA[] = {{"hw.physical_disk.state", "remaining"},
                                {"hw.physical_disk.endurance.type", "a"}};
constexpr Attribute kTypeB[] = {{"hw.physical_disk.state", "remaining"},
                                {"hw.physical_disk.endurance.type", "b"}};
constexpr Attribute kCorrected[] = {{"hw.type", "physical_disk"}, {"error.type", "ecc_corrected"}};
constexpr Attribute kUncorrected[] = {{"hw.type", "physical_disk"}, {"error.type", "ecc_failed"}};

enum : uint8_t { kMmc, kScsi, kNvme, kUbi, kMtd, kWholeDisk };  // Places in kClasses.
enum : uint8_t { kIsOk, kIsDegraded, kIsPredicted, kIsFailed };

constexpr std::string_view kStates[] = {"ok", "degraded", "predicted_failure", "failed"};

// JESD84-B51, PRE_EOL_INFO: of the reserved blocks less than 80 % are used, 80 %, 90 %.
constexpr SensorRule::Word kPreEolWords[] = {{"0x01", kIsOk}, {"0x02", kIsDegraded},
                                             {"0x03", kIsPredicted}};
constexpr SensorRule::Word kScsiWords[] = {{"running", kIsOk},         {"blocked", kIsDegraded},
                                           {"quiesce", kIsDegraded},   {"created", kIsDegraded},
                                           {"created-blocked", kIsDegraded},
                                           {"transport-offline", kIsFailed},
                                           {"offline", kIsFailed},     {"cancel", kIsFailed},
                                           {"deleted", kIsFailed}};
constexpr SensorRule::Word kNvmeWords[] = {{"live", kIsOk},           {"new", kIsDegraded},
                                           {"resetting", kIsDegraded}, {"connecting", kIsDegraded},
                                           {"deleting", kIsFailed},
                                           {"deleting (no IO)", kIsFailed},
                                           {"dead", kIsFailed}};
// UBI refuses to write after an error that it cannot repair.
constexpr SensorRule::Word kUbiWords[] = {{"0", kIsOk}, {"1", kIsFailed}};

constexpr SensorClass::Description kMmcModel[] = {{"hw.model", "name"}};
constexpr SensorClass::Description kScsiModel[] = {{"hw.model", "model"}, {"hw.vendor", "vendor"}};
constexpr SensorClass::Description kNvmeModel[] = {{"hw.model", "model"}};

// Whole disks of a card, a SCSI (SATA, USB) or an NVMe device: their patterns leave out partitions,
// which /sys/class/block has too, and the boot areas of an eMMC. Of MTD only NAND has bad blocks and
// counts errors; the others say 0.
constexpr SensorClass kClasses[] = {
    {.folder = "/sys/class/block", .entries = "mmcblk[0-9], mmcblk[0-9][0-9]", .subfolder = "/device",
     .block = true, .described = kMmcModel},
    {.folder = "/sys/class/block", .entries = "sd[a-z], sd[a-z][a-z]", .subfolder = "/device",
     .block = true, .described = kScsiModel},
    {.folder = "/sys/class/nvme", .entries = "nvme*", .described = kNvmeModel},
    {.folder = "/sys/class/ubi", .entries = "ubi[0-9], ubi[0-9][0-9]"},
    {.folder = "/sys/class/mtd", .entries = "mtd[0-9], mtd[0-9][0-9]", .name_file = "name",
     .kind_file = "type", .kinds = "nand, mlc-nand"},
    {.folder = "/sys/class/block",
     .entries = "mmcblk[0-9], mmcblk[0-9][0-9], sd[a-z], sd[a-z][a-z], nvme[0-9]n[0-9], nvme[0-9][0-9]n[0-9]",
     .block = true},
};

constexpr SensorRule Status(uint8_t in, std::string_view file, std::span<const SensorRule::Word> words,
                            uint8_t described) {
  return {.in = in, .file = file, .metric = &kStatus, .text = SensorRule::Text::kWord,
          .attributes = kDiskType, .described = described, .words = words, .states = kStates};
}

constexpr SensorRule LifeTime(SensorRule::Text text, std::span<const Attribute> type) {
  return {.in = kMmc, .file = "life_time", .metric = &kEndurance, .divisor = 10, .text = text,
          .attributes = type, .described = 1};
}

constexpr SensorRule Count(uint8_t in, std::string_view file, const Metric& metric,
                           std::span<const Attribute> attributes = {}) {
  return {.in = in, .file = file, .metric = &metric, .attributes = attributes};
}

// Of Documentation/ABI/testing in the Linux tree: sysfs-class-mtd, stable/sysfs-class-ubi; nvme's
// and SCSI's states are those of their drivers.
constexpr SensorRule kRules[] = {
    Status(kMmc, "pre_eol_info", kPreEolWords, 1),
    Status(kScsi, "state", kScsiWords, 2),
    Status(kNvme, "state", kNvmeWords, 1),
    Status(kUbi, "ro_mode", kUbiWords, 0),
    LifeTime(SensorRule::Text::kLifeTimeA, kTypeA),
    LifeTime(SensorRule::Text::kLifeTimeB, kTypeB),
    {.in = kWholeDisk, .file = "size", .metric = &kSize, .text = SensorRule::Text::kSectors},
    Count(kMtd, "corrected_bits", kErrors, kCorrected),
    Count(kMtd, "ecc_failures", kErrors, kUncorrected),
    Count(kMtd, "bad_blocks", kMtdBad),
    Count(kUbi, "max_ec", kUbiErased),
    Count(kUbi, "total_eraseblocks", kUbiBlocks),
    Count(kUbi, "bad_peb_count", kUbiBad),
    Count(kUbi, "reserved_for_bad", kUbiReserved),
};

}  // namespace

FlashGroup::FlashGroup() : SensorGroupBuffer(kClasses, kRules) {}

}  // namespace limpet
