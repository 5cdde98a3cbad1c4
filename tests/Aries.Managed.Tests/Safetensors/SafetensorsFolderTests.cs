using Aries.TestKit;

namespace Aries.Managed.Tests;

public class SafetensorsFolderTests
{
    [Fact]
    public void Open_Shards_FindsEachTensorInItsFile()
    {
        using TempFolder folder = new();
        WriteShards(folder);
        File.WriteAllText(folder.At("model.safetensors.index.json"), """{"metadata":{},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");

        using SafetensorsFolder opened = SafetensorsFolder.Open(folder.Path);

        Assert.Equal(["a", "b"], opened.Names.Order());
        Assert.True(opened.TryGet("b", out SafetensorsFile file, out SafetensorsEntry entry));
        float[] values = new float[entry.ElementCount];
        file.ReadSingles("b", values);
        Assert.Equal([2f, 3f], values);
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"one.safetensors","b":"one.safetensors"}}""", "'b' is not in one.safetensors")]
    [InlineData("""{"weight_map":{"a":"one.safetensors","c":"two.safetensors"}}""", "'c' is not in two.safetensors")]
    [InlineData("""{"weight_map":{"a":"one.safetensors"},"x":1}""", "")]
    [InlineData("""{"weight_map":{"a":"../one.safetensors"}}""", "no plain file name")]
    [InlineData("""{"weight_map":{"a":"missing.safetensors"}}""", "no such file")]
    [InlineData("""{"weight_map":{"a":1}}""", "weight_map.a")]
    [InlineData("""{"weight_map":{"a":"one.safetensors","a":"one.safetensors"}}""", "JSON")]
    [InlineData("""{}""", "weight_map")]
    public void Open_IndexThatDisagrees_Throws(string index, string reason)
    {
        using TempFolder folder = new();
        WriteShards(folder);
        File.WriteAllText(folder.At("model.safetensors.index.json"), index);

        if (reason.Length == 0)
        {
            // Only shards that the index names are opened, so a stray file beside them does no harm.
            using SafetensorsFolder opened = SafetensorsFolder.Open(folder.Path);
            Assert.Equal(["a"], opened.Names);
            return;
        }

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => SafetensorsFolder.Open(folder.Path));
        Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_ShardWithUnlistedTensor_Throws()
    {
        using TempFolder folder = new();
        SafetensorsWriter.Write(folder.At("one.safetensors"), [new("a", [1], new float[] { 1 }), new("z", [1], new float[] { 1 })]);
        File.WriteAllText(folder.At("model.safetensors.index.json"), """{"weight_map":{"a":"one.safetensors"}}""");

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => SafetensorsFolder.Open(folder.Path));

        Assert.Contains("'z'", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_NoWeights_ThrowsAndSaysWhatIsRead()
    {
        using TempFolder folder = new();

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => SafetensorsFolder.Open(folder.Path));

        Assert.Contains("safetensors", exception.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_DamagedIndex_ThrowsOnlyItsOwnException()
    {
        using TempFolder folder = new();
        WriteShards(folder);
        string index = folder.At("model.safetensors.index.json");

        int refused = Fuzz.Run<ModelFormatException>(
            """{"metadata":{"total_size":12},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}"""u8.ToArray(),
            input =>
            {
                File.WriteAllBytes(index, input);
                SafetensorsFolder.Open(folder.Path).Dispose();
            },
            count: 2000,
            allocationLimit: 200_000);

        Assert.True(refused > 500, $"Only {refused} inputs were refused.");
    }

    private static void WriteShards(TempFolder folder)
    {
        SafetensorsWriter.Write(folder.At("one.safetensors"), [new("a", [1], new float[] { 1 })]);
        SafetensorsWriter.Write(folder.At("two.safetensors"), [new("b", [2, 1], new float[] { 2, 3 })]);
    }
}
