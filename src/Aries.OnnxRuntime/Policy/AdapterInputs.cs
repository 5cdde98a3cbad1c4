using System.Numerics.Tensors;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Aries.OnnxRuntime;

/// <summary>The matrices of a LoRA adapter, as the optional inputs of a graph take them.</summary>
/// <remarks>
/// They are bound as ordinary inputs: an adapter that is set active in the run's options is ignored, without an error, by a run with bound values.
/// </remarks>
/// <threadsafety>Immutable once loaded.</threadsafety>
internal sealed class AdapterInputs : IDisposable
{
    private const string Down = ".lora_A.weight";
    private const string Up = ".lora_B.weight";

    private readonly List<(string Name, OrtValue Value)> _inputs = [];

    /// <summary>Gets each input's name and value.</summary>
    public IReadOnlyList<(string Name, OrtValue Value)> Inputs => _inputs;

    /// <summary>Reads a PEFT folder for a graph.</summary>
    /// <exception cref="ModelFormatException">The graph takes no adapter, or not for all that this one changes; or the adapter is damaged or of another model.</exception>
    public static AdapterInputs Load(string folder, InferenceSession session, string modelFolder, int layerCount)
    {
        AdapterInputs result = new();
        try
        {
            using PeftAdapterFile file = PeftAdapterFile.Open(folder);
            IReadOnlyDictionary<string, NodeMetadata> slots = session.OverridableInitializerMetadata;
            foreach ((string module, LoraProjections projection) in PeftAdapterFile.Modules)
            {
                if (file.Options.Targets.HasFlag(projection))
                {
                    result.Add(file, slots, module, modelFolder);
                }
            }

            file.CheckAllRead(layerCount);
            return result;
        }
        catch
        {
            result.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _inputs.ForEach(input => input.Value.Dispose());
        _inputs.Clear();
    }

    private void Add(PeftAdapterFile file, IReadOnlyDictionary<string, NodeMetadata> slots, string module, string modelFolder)
    {
        string[] stems = [.. slots.Keys.Where(name => name.EndsWith($".{module}{Down}", StringComparison.Ordinal)).Select(name => name[..^Down.Length])];
        if (stems.Length == 0)
        {
            throw new ModelFormatException(
                modelFolder,
                $"the graph has no inputs for an adapter of {module}.",
                "Write the folder again with GenAIModelOptions.AdapterTargets naming every projection that the adapter changes.");
        }

        LoraOptions options = file.Options;
        foreach (string stem in stems)
        {
            NodeMetadata down = slots[stem + Down];
            int inputs = down.Dimensions[0];
            int outputs = slots[stem + Up].Dimensions[1];
            AddTransposed(stem + Down, file.Read(stem + Down, options.Rank, inputs), options.Rank, inputs, 1, down.ElementDataType);
            AddTransposed(stem + Up, file.Read(stem + Up, outputs, options.Rank), outputs, options.Rank, options.Alpha / options.Rank, down.ElementDataType);
        }
    }

    // PEFT stores [out, in], and the graph multiplies from the right.
    private void AddTransposed(string name, float[] values, int rows, int columns, float scale, TensorElementType type)
    {
        float[] transposed = new float[values.Length];
        for (int index = 0; index < values.Length; index++)
        {
            transposed[(index % columns * rows) + (index / columns)] = scale * values[index];
        }

        long[] shape = [columns, rows];
        switch (type)
        {
            case TensorElementType.Float:
                _inputs.Add((name, OrtValue.CreateTensorValueFromMemory(transposed, shape)));
                break;
            case TensorElementType.Float16:
                Half[] halves = new Half[transposed.Length];
                TensorPrimitives.ConvertToHalf(transposed, halves);
                _inputs.Add((name, OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(halves, value => new Float16(BitConverter.HalfToUInt16Bits(value))), shape)));
                break;
            default:
                _inputs.Add((name, OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(transposed, value => new BFloat16(BFloat16Bits.Round(value))), shape)));
                break;
        }
    }
}
