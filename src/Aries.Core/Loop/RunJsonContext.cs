using System.Text.Json.Serialization;

namespace Aries;

[JsonSourceGenerationOptions(
    WriteIndented = true,
    NewLine = "\n",
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(StoredCollection))]
[JsonSerializable(typeof(StoredTraining))]
[JsonSerializable(typeof(StoredRound))]
internal sealed partial class RunJsonContext : JsonSerializerContext;
