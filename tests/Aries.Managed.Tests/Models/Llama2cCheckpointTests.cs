using System.Buffers.Binary;
using Aries.TestKit;

namespace Aries.Managed.Tests;

public class Llama2cCheckpointTests
{
    private static string Golden => TestData.Golden("stories260K", "stories260K.bin");

    [Theory]
    [InlineData(0, 65)]
    [InlineData(0, -64)]
    [InlineData(2, 2_000_000_000)]
    [InlineData(3, 7)]
    [InlineData(5, 2_000_000_000)]
    [InlineData(5, int.MinValue)]
    [InlineData(5, -512)]
    [InlineData(6, 513)]
    [InlineData(0, 0x616b3432)]
    public void Load_HeaderThatDoesNotFitTheFile_Throws(int field, int value)
    {
        using TempFolder folder = new();
        byte[] bytes = File.ReadAllBytes(Golden);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(field * 4), value);
        File.WriteAllBytes(folder.At("a.bin"), bytes);

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => Llama2cCheckpoint.Load(folder.At("a.bin")));

        Assert.Equal(folder.At("a.bin"), exception.File);
    }

    // The layout of an untied file by hand: hidden 2, inner 1, one layer, one head of 2, vocabulary 3, context 1. Tensors are numbered in file order.
    [Fact]
    public void Load_NegativeVocabulary_ReadsHeadAfterRotaryTables()
    {
        using TempFolder folder = new();
        int[] header = [2, 1, 1, 1, 1, -3, 1];
        int[] sizes = [6, 2, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 6];
        float[] values = [.. sizes.SelectMany((size, tensor) => Enumerable.Range(0, size).Select(index => tensor + (index / 100f)))];
        byte[] bytes = new byte[(header.Length + values.Length) * 4];
        Buffer.BlockCopy(header, 0, bytes, 0, header.Length * 4);
        Buffer.BlockCopy(values, 0, bytes, header.Length * 4, values.Length * 4);
        File.WriteAllBytes(folder.At("a.bin"), bytes);

        (LlamaConfig config, LlamaWeights weights) = Llama2cCheckpoint.Load(folder.At("a.bin"));

        // File order: embedding 0, attention norm 1, q 2, k 3, v 4, o 5, norm 6, w1 = gate 7, w2 = down 8, w3 = up 9, final norm 10, tables 11, head 12.
        Assert.False(config.TieEmbeddings);
        Assert.Equal(3, config.VocabularySize);
        Assert.Equal([12f, 12.01f, 12.02f, 12.03f, 12.04f, 12.05f], weights.Head.Values);
        Assert.Equal([7f, 7.01f], weights.Layers[0].Gate.Values);
        Assert.Equal([8f, 8.01f], weights.Layers[0].Down.Values);
        Assert.Equal([9f, 9.01f], weights.Layers[0].Up.Values);
        Assert.Equal([10f, 10.01f], weights.FinalNorm.Values);
    }

    [Fact]
    public void Load_DamagedInput_ThrowsOnlyItsOwnException()
    {
        using TempFolder folder = new();
        string path = folder.At("a.bin");
        int[] header = [2, 1, 1, 1, 1, 3, 1];
        byte[] valid = new byte[(header.Length + 6 + 2 + 16 + 2 + 6 + 2 + 2) * 4];
        Buffer.BlockCopy(header, 0, valid, 0, header.Length * 4);

        int refused = Fuzz.Run<ModelFormatException>(
            valid,
            input =>
            {
                File.WriteAllBytes(path, input);
                Llama2cCheckpoint.Load(path);
            },
            count: 3000,
            allocationLimit: 200_000);

        Assert.True(refused > 1000, $"Only {refused} inputs were refused.");
    }
}
