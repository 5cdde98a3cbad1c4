using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Aries.TestKit;

namespace Aries.OnnxRuntime.Tests;

/// <summary>Makes adapters in PEFT layout whose every value is drawn, so that each changes what the model computes.</summary>
internal static class RandomAdapter
{
    public static void Write(string folder, LlamaConfig config, LoraOptions options)
    {
        Directory.CreateDirectory(folder);
        JsonNode json = JsonNode.Parse(File.ReadAllText(TestData.Golden("lora", "adapter_config.json")))!;
        (string Module, LoraProjections Projection)[] modules = [.. PeftAdapterFile.Modules.Where(known => options.Targets.HasFlag(known.Projection))];
        (json["r"], json["lora_alpha"]) = (options.Rank, options.Alpha);
        json["target_modules"] = new JsonArray([.. modules.Select(known => JsonValue.Create(known.Module))]);
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), json.ToJsonString());
        List<(string Name, int[] Shape)> tensors = [];
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            foreach ((string module, LoraProjections projection) in modules)
            {
                string block = LoraProjections.Attention.HasFlag(projection) ? "self_attn" : "mlp";
                (int inputs, int outputs) = Widths(projection, config);
                string name = $"{PeftAdapterFile.KeyPrefix}model.layers.{layer}.{block}.{module}";
                tensors.Add((name + ".lora_A.weight", [options.Rank, inputs]));
                tensors.Add((name + ".lora_B.weight", [outputs, options.Rank]));
            }
        }

        WriteSafetensors(Path.Combine(folder, "adapter_model.safetensors"), tensors);
    }

    private static (int Inputs, int Outputs) Widths(LoraProjections projection, LlamaConfig config) => projection switch
    {
        LoraProjections.Query => (config.HiddenSize, config.HeadCount * config.HeadSize),
        LoraProjections.Key or LoraProjections.Value => (config.HiddenSize, config.KeyValueHeadCount * config.HeadSize),
        LoraProjections.Output => (config.HeadCount * config.HeadSize, config.HiddenSize),
        LoraProjections.Down => (config.IntermediateSize, config.HiddenSize),
        _ => (config.HiddenSize, config.IntermediateSize),
    };

    private static void WriteSafetensors(string path, List<(string Name, int[] Shape)> tensors)
    {
        Random random = new(5);
        JsonObject header = [];
        List<float> values = [];
        foreach ((string name, int[] shape) in tensors)
        {
            int start = values.Count * sizeof(float);
            values.AddRange(Enumerable.Range(0, shape[0] * shape[1]).Select(_ => (random.NextSingle() - 0.5f) / 4));
            header[name] = JsonSerializer.SerializeToNode(new { dtype = "F32", shape, data_offsets = new[] { start, values.Count * sizeof(float) } });
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)json.Length), .. json, .. MemoryMarshal.AsBytes<float>(values.ToArray())]);
    }
}
