using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace Aries.TestKit;

/// <summary>Reads <c>golden/sampling</c>.</summary>
public static class GoldenSampling
{
    /// <summary>Reads a JSON file.</summary>
    /// <param name="parts">The path under <c>tests/golden</c>.</param>
    public static JsonElement Read(params string[] parts)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(TestData.Golden(parts)));
        return document.RootElement.Clone();
    }

    /// <summary>Reads the F64 vectors of a safetensors file, rounded to float32.</summary>
    public static Dictionary<string, float[]> Logits()
    {
        byte[] bytes = File.ReadAllBytes(TestData.Golden("sampling", "logits.safetensors"));
        int headerLength = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        using JsonDocument header = JsonDocument.Parse(Encoding.UTF8.GetString(bytes, 8, headerLength));
        Dictionary<string, float[]> vectors = [];
        foreach (JsonProperty tensor in header.RootElement.EnumerateObject().Where(property => property.Name != "__metadata__"))
        {
            int[] offsets = Ints(tensor.Value.GetProperty("data_offsets"));
            float[] values = new float[(offsets[1] - offsets[0]) / sizeof(double)];
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)BinaryPrimitives.ReadDoubleLittleEndian(bytes.AsSpan(8 + headerLength + offsets[0] + (i * sizeof(double))));
            }

            vectors.Add(tensor.Name, values);
        }

        return vectors;
    }

    /// <summary>Gets the items of a JSON array as integers.</summary>
    public static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(item => item.GetInt32())];

    /// <summary>Gets the items of a JSON array, rounded to float32.</summary>
    public static float[] Floats(JsonElement array) => [.. array.EnumerateArray().Select(item => (float)item.GetDouble())];
}
