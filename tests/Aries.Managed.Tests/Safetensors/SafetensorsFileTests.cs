using System.Buffers.Binary;
using System.Text;
using Aries.TestKit;
using CsCheck;

namespace Aries.Managed.Tests;

public class SafetensorsFileTests
{
    [Fact]
    public void Open_GoldenModel_ReadsEveryTensor()
    {
        using SafetensorsFile file = SafetensorsFile.Open(TestData.Golden("stories260K-hf", "model.safetensors"));

        long total = file.Header.Entries.Values.Sum(entry => entry.ElementCount);

        // 260 032 parameters in 47 tensors: the golden folder's README.
        Assert.Equal(47, file.Header.Entries.Count);
        Assert.Equal(260_032, total);
    }

    [Fact]
    public void ReadDoubles_GoldenGradients_AreFiniteAndNotAllZero()
    {
        using SafetensorsFile file = SafetensorsFile.Open(TestData.Golden("lora", "grads.safetensors"));

        double[] values = file.ReadDoubles(file.Header.Entries.Keys.First(name => name.EndsWith("lora_B.weight", StringComparison.Ordinal)));
        float[] singles = new float[values.Length];
        file.ReadSingles(file.Header.Entries.Keys.First(name => name.EndsWith("lora_B.weight", StringComparison.Ordinal)), singles);

        Assert.All(values, value => Assert.True(double.IsFinite(value)));
        Assert.Contains(values, value => value != 0);
        Assert.Equal(values.Select(value => (float)value), singles);
    }

    // Bit patterns by hand: 1.5 is 0x3FC0 in bfloat16 and 0x3E00 in half; -2 is 0xC000 in both.
    [Theory]
    [InlineData("BF16", new ushort[] { 0x3FC0, 0xC000 })]
    [InlineData("F16", new ushort[] { 0x3E00, 0xC000 })]
    public void ReadSingles_SixteenBits_WidensExactly(string type, ushort[] bits)
    {
        using TempFolder folder = new();
        byte[] data = new byte[4];
        BinaryPrimitives.WriteUInt16LittleEndian(data, bits[0]);
        BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(2), bits[1]);
        string path = WriteRaw(folder, $$$"""{"a":{"dtype":"{{{type}}}","shape":[2],"data_offsets":[0,4]}}""", data);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        float[] values = new float[2];

        file.ReadSingles("a", values);

        Assert.Equal([1.5f, -2f], values);
    }

    [Fact]
    public void ReadSingles_Integers_ThrowsAndNamesType()
    {
        using TempFolder folder = new();
        string path = WriteRaw(folder, """{"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}""", new byte[4]);
        using SafetensorsFile file = SafetensorsFile.Open(path);

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => file.ReadSingles("a", new float[1]));

        Assert.Contains("I32", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_HeaderLongerThanFile_Throws()
    {
        using TempFolder folder = new();
        byte[] bytes = new byte[100];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, ulong.MaxValue);
        File.WriteAllBytes(folder.At("a.safetensors"), bytes);

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open(folder.At("a.safetensors")));

        Assert.Contains("18446744073709551615", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(1000)]
    [InlineData(1_044_991)]
    public void Open_TruncatedModel_Throws(int length)
    {
        using TempFolder folder = new();
        byte[] whole = File.ReadAllBytes(TestData.Golden("stories260K-hf", "model.safetensors"));
        File.WriteAllBytes(folder.At("a.safetensors"), whole[..length]);

        Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open(folder.At("a.safetensors")));
    }

    [Fact]
    public void Open_NoFile_ThrowsAndNamesPath()
    {
        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open("/no/such/model.safetensors"));

        Assert.Equal("/no/such/model.safetensors", exception.File);
    }

    [Fact]
    public void Write_AnyValues_ReadBackBitForBit()
    {
        using TempFolder folder = new();
        string path = folder.At("a.safetensors");

        Gen.Int.Array[0, 300].Sample(
            bits =>
            {
                float[] values = [.. bits.Select(BitConverter.Int32BitsToSingle)];
                SafetensorsWriter.Write(path, [new SafetensorsTensor("b", [values.Length], values), new SafetensorsTensor("a", [1], new float[] { 3 })]);
                using SafetensorsFile file = SafetensorsFile.Open(path);
                float[] read = new float[values.Length];
                file.ReadSingles("b", read);
                Assert.Equal(bits, read.Select(BitConverter.SingleToInt32Bits));
            },
            iter: 200,
            threads: 1);
    }

    // The reference writer sorts by name and aligns the data to eight bytes; so the golden file, made by it, is what ours must be, byte for byte.
    [Fact]
    public void Write_GoldenModel_EqualsReferenceWriter()
    {
        using TempFolder folder = new();
        string golden = TestData.Golden("stories260K-hf", "model.safetensors");
        using SafetensorsFile source = SafetensorsFile.Open(golden);
        List<SafetensorsTensor> tensors = [];
        foreach (SafetensorsEntry entry in source.Header.Entries.Values.Reverse())
        {
            float[] values = new float[entry.ElementCount];
            source.ReadSingles(entry.Name, values);
            tensors.Add(new SafetensorsTensor(entry.Name, [.. entry.Shape.Select(dimension => (int)dimension)], values));
        }

        SafetensorsWriter.Write(folder.At("a.safetensors"), tensors);

        Assert.Equal(File.ReadAllBytes(golden), File.ReadAllBytes(folder.At("a.safetensors")));
        Assert.Equal(["a.safetensors"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName));
    }

    // Halfway cases go to the even neighbour: bfloat16 keeps 8 bits, so 1 + 2^-8 lies halfway between 1 and 1 + 2^-7, and 1 + 3 * 2^-8 between 1 + 2^-7 and 1 + 2^-6.
    [Fact]
    public void Write_BFloat16_RoundsHalfToEven()
    {
        using TempFolder folder = new();
        float[] values = [1 + (1f / 256), 1 + (3f / 256), -1.01f, float.NegativeInfinity, float.NaN, 3.4e38f];

        SafetensorsWriter.Write(folder.At("a.safetensors"), [new SafetensorsTensor("a", [6], values)], WeightType.BFloat16);

        using SafetensorsFile file = SafetensorsFile.Open(folder.At("a.safetensors"));
        float[] read = new float[6];
        file.ReadSingles("a", read);
        Assert.Equal([1f, 1 + (1f / 64), -1.0078125f, float.NegativeInfinity, float.NaN, float.PositiveInfinity], read);
    }

    [Fact]
    public void Write_TooLargeForHalf_ThrowsAndLeavesNothing()
    {
        using TempFolder folder = new();

        ArgumentException exception = Assert.Throws<ArgumentException>(
            () => SafetensorsWriter.Write(folder.At("a.safetensors"), [new SafetensorsTensor("w", [2], new float[] { 1, 70000 })], WeightType.Float16));

        Assert.Contains("70000", exception.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Write_SameNameTwice_Throws()
    {
        using TempFolder folder = new();
        SafetensorsTensor tensor = new("w", [1], new float[] { 1 });

        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(folder.At("a.safetensors"), [tensor, tensor]));
    }

    internal static string WriteRaw(TempFolder folder, string header, byte[] data, string name = "a.safetensors")
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)json.Length);
        File.WriteAllBytes(folder.At(name), [.. length, .. json, .. data]);
        return folder.At(name);
    }
}
