using System.Text;
using Aries.TestKit;

namespace Aries.LocalModels.Tests;

public class SafetensorsHeaderTests
{
    private const string Valid =
        """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}}""";

    [Fact]
    public void Parse_ValidHeader_ListsTensors()
    {
        SafetensorsHeader header = Parse(Valid + "   ", 32);

        Assert.Equal(["a", "b"], header.Entries.Keys.Order());
        Assert.Equal([2, 3], header.Entries["a"].Shape);
        Assert.Equal(SafetensorsType.BFloat16, header.Entries["b"].Type);
        Assert.Equal(24, header.Entries["b"].Start);
        Assert.Equal("pt", header.Metadata["format"]);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "overlaps")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}""", 16, "gap of 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "gap of 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 12, "holds 12 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, "holds 4 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "shape needs")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "0 or more")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", 8, "0 or more")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904,16],"data_offsets":[0,8]}}""", 8, "shape needs")]
    [InlineData("""{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}""", 8, "unknown dtype 'F33'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", 8, "lacks")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}""", 8, "'x'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""", 16, "listed twice")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "String")]
    [InlineData("""[1]""", 0, "StartObject")]
    [InlineData("""{"a":""", 0, "JSON")]
    [InlineData("", 0, "JSON")]
    public void Parse_BrokenRule_ThrowsWithFileAndReason(string json, long dataLength, string reason)
    {
        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => Parse(json, dataLength));

        Assert.Equal("x.safetensors", exception.File);
        Assert.Contains(reason, exception.Problem, StringComparison.Ordinal);
        Assert.Contains("again", exception.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_DamagedInput_ThrowsOnlyItsOwnException()
    {
        int refused = Fuzz.Run<ModelFormatException>(
            Encoding.UTF8.GetBytes(Valid), input => SafetensorsHeader.Parse(input, 32, "x.safetensors"), count: 20_000, allocationLimit: 200_000);

        Assert.True(refused > 10_000, $"Only {refused} inputs were refused.");
    }

    private static SafetensorsHeader Parse(string json, long dataLength) =>
        SafetensorsHeader.Parse(Encoding.UTF8.GetBytes(json), dataLength, "x.safetensors");
}
