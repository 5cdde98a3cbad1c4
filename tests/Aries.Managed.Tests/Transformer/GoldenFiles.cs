using System.Buffers.Binary;
using System.Text.Json;
using Aries.TestKit;

namespace Aries.Managed.Tests;

/// <summary>Reads the golden files: well-formed safetensors and JSON of ours.</summary>
internal static class GoldenFiles
{
    public static JsonElement Json(params string[] path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(TestData.Golden(path)));
        return document.RootElement.Clone();
    }

    public static Dictionary<string, GoldenTensor> Tensors(params string[] path)
    {
        byte[] file = File.ReadAllBytes(TestData.Golden(path));
        int headerLength = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        using JsonDocument header = JsonDocument.Parse(file.AsMemory(8, headerLength));
        Dictionary<string, GoldenTensor> tensors = [];
        foreach (JsonProperty entry in header.RootElement.EnumerateObject())
        {
            if (entry.Name == "__metadata__")
            {
                continue;
            }

            int[] shape = entry.Value.GetProperty("shape").Ints();
            int[] offsets = entry.Value.GetProperty("data_offsets").Ints();
            ReadOnlySpan<byte> data = file.AsSpan(8 + headerLength + offsets[0], offsets[1] - offsets[0]);
            double[] values = new double[shape.Aggregate(1, (a, b) => a * b)];
            bool single = entry.Value.GetProperty("dtype").GetString() == "F32";
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = single ? BinaryPrimitives.ReadSingleLittleEndian(data[(4 * i)..]) : BinaryPrimitives.ReadDoubleLittleEndian(data[(8 * i)..]);
            }

            tensors.Add(entry.Name, new GoldenTensor(shape, values));
        }

        return tensors;
    }

    public static int[] Ints(this JsonElement array) => [.. array.EnumerateArray().Select(item => item.GetInt32())];

    public static double[] Doubles(this JsonElement array) => [.. array.EnumerateArray().Select(item => item.GetDouble())];

    /// <summary>‖actual − expected‖ ÷ ‖expected‖.</summary>
    public static double RelativeDistance(IReadOnlyList<double> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Count, actual.Length);
        double distance = 0;
        double norm = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            distance += Math.Pow(expected[i] - actual[i], 2);
            norm += expected[i] * expected[i];
        }

        return Math.Sqrt(distance / norm);
    }
}

internal sealed record GoldenTensor(int[] Shape, double[] Values);
