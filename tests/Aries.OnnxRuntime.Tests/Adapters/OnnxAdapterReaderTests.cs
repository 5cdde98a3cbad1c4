using Aries.TestKit;

namespace Aries.OnnxRuntime.Tests;

public sealed class OnnxAdapterReaderTests(ExportedModels models)
{
    [Fact]
    public void Read_WrittenFile_GivesEveryMatrix()
    {
        IReadOnlyList<AdapterMatrix> matrices = OnnxAdapterReader.Read(Written());

        Assert.Equal(2 * 7 * 5, matrices.Count);
        Assert.Contains(new AdapterMatrix("model.layers.3.mlp.down_proj.lora_A.weight", 172, 4, 1, GraphFloatType.Float32), matrices);
    }

    [Fact]
    public void Check_FileOfTheModel_Passes() => OnnxAdapterReader.Check(Written(), models.Adaptable);

    [Fact]
    public void Check_ModelWithoutInputs_SaysHowToWriteIt() =>
        Assert.Contains("AdapterTargets", Assert.Throws<ModelFormatException>(() => OnnxAdapterReader.Check(Written(), models.Stories)).Fix, StringComparison.Ordinal);

    [Theory]
    [InlineData(OnnxFloatType.Float16, 5, "Float16")]
    [InlineData(OnnxFloatType.Float32, 4, "model.layers.4.")]
    public void Check_OtherModel_SaysWhatDiffers(OnnxFloatType type, int layers, string named)
    {
        string source = models.NewPath();
        Managed.LlamaInitializer.Create(source, LlamaConfigReader.Read(ExportedModels.StoriesSource) with { LayerCount = layers }, ExportedModels.StoriesSource, seed: 1);
        string folder = models.Write(source, new GenAIModelOptions { FloatType = type, AdapterTargets = LoraProjections.All });

        Assert.Contains(named, Assert.Throws<ModelFormatException>(() => OnnxAdapterReader.Check(Written(), folder)).Problem, StringComparison.Ordinal);
    }

    // The values come last and in order, so a file that lost its end lacks some of the last matrix.
    [Fact]
    public void Read_FileCutAnywhere_Throws()
    {
        byte[] whole = File.ReadAllBytes(Written());
        string path = models.NewPath();
        for (int length = 0; length < whole.Length; length += length < 200 ? 1 : 4999)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.Throws<ModelFormatException>(() => OnnxAdapterReader.Read(path));
        }

        File.WriteAllBytes(path, whole[..^1]);
        Assert.Throws<ModelFormatException>(() => OnnxAdapterReader.Read(path));
    }

    // The first 8 bytes: the root's place, the identifier. 24: the version, in the table that stands at 20. What follows is found by what it holds.
    [Theory]
    [InlineData(0, 0x7FFFFFFF)]
    [InlineData(4, 0x54524F55)]
    [InlineData(20, -100)]
    [InlineData(24, 2)]
    [InlineData(36, 0x7FFFFFF0)]
    [InlineData(40, -1)]
    [InlineData(40, 0x10000000)]
    [InlineData(44, 0x7FFFFFFF)]
    public void Read_NumberChanged_Throws(int at, int value)
    {
        string path = Written();
        byte[] bytes = File.ReadAllBytes(path);
        BitConverter.TryWriteBytes(bytes.AsSpan(at), value);
        File.WriteAllBytes(path, bytes);

        Assert.Throws<ModelFormatException>(() => OnnxAdapterReader.Read(path));
    }

    // What ONNX Runtime does not look at: it would read beyond the values, or beyond the file.
    [Theory]
    [InlineData(64, 65)]
    [InlineData(64, 1L << 40)]
    [InlineData(64, -64)]
    public void Read_DimensionThatTheValuesDoNotFill_Throws(long before, long after)
    {
        string path = Written();
        byte[] bytes = File.ReadAllBytes(path);
        int at = bytes.AsSpan().IndexOf([.. BitConverter.GetBytes(before), .. BitConverter.GetBytes(4L)]);
        Assert.True(at > 0);
        BitConverter.TryWriteBytes(bytes.AsSpan(at), after);
        File.WriteAllBytes(path, bytes);

        Assert.Contains("shape", Assert.Throws<ModelFormatException>(() => OnnxAdapterReader.Read(path)).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_NameTwiceOrUnknown_NamesIt()
    {
        string path = Written();
        byte[] bytes = File.ReadAllBytes(path);
        int at = bytes.AsSpan().IndexOf("model.layers.1.self_attn.q_proj.lora_A"u8) + "model.layers.".Length;
        bytes[at] = (byte)'0';
        File.WriteAllBytes(path, bytes);
        Assert.Contains("twice", Assert.Throws<ModelFormatException>(() => OnnxAdapterReader.Check(path, models.Adaptable)).Problem, StringComparison.Ordinal);

        bytes[at] = (byte)'7';
        File.WriteAllBytes(path, bytes);
        Assert.Contains("q_proj", Assert.Throws<ModelFormatException>(() => OnnxAdapterReader.Check(path, models.Adaptable)).Problem, StringComparison.Ordinal);
    }

    // Each entry of the list points to the largest matrix: together they would have more bytes than the file.
    [Fact]
    public void Read_ListOfOneMatrixManyTimes_Throws()
    {
        string path = Written();
        IReadOnlyList<AdapterMatrix> matrices = OnnxAdapterReader.Read(path);
        int largest = Enumerable.Range(0, matrices.Count).MaxBy(index => matrices[index].ByteCount);
        byte[] bytes = File.ReadAllBytes(path);
        int table = 44 + (4 * largest) + BitConverter.ToInt32(bytes, 44 + (4 * largest));
        for (int entry = 44; entry < 44 + (4 * matrices.Count); entry += 4)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(entry), table - entry);
        }

        File.WriteAllBytes(path, bytes);

        Assert.Contains("overlap", Assert.Throws<ModelFormatException>(() => OnnxAdapterReader.Read(path)).Problem, StringComparison.Ordinal);
    }

    // Whatever bytes change, what is thrown is the reader's own exception, and what is accepted stays inside the file.
    [Fact]
    public void Read_RandomChanges_ThrowsItsOwnExceptionOrStaysInside()
    {
        string path = Written();
        byte[] whole = File.ReadAllBytes(path);
        int described = whole.Length - (int)OnnxAdapterReader.Read(path).Sum(matrix => matrix.ByteCount);
        Random random = new(7);
        int refused = 0;
        for (int attempt = 0; attempt < 1000; attempt++)
        {
            byte[] bytes = [.. whole];
            for (int change = random.Next(1, 4); change > 0; change--)
            {
                bytes[random.Next(described)] = (byte)random.Next(256);
            }

            File.WriteAllBytes(path, bytes);
            try
            {
                Assert.All(OnnxAdapterReader.Read(path), matrix => Assert.InRange(matrix.ByteCount, 1, whole.Length));
            }
            catch (ModelFormatException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 300, 1000);
    }

    private string Written()
    {
        string path = models.NewPath() + ".onnx_adapter";
        OnnxAdapterWriter.Write(TestData.Golden("lora"), models.Adaptable, path);
        return path;
    }
}
