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
    private readonly List<(string Name, OrtValue Value)> _inputs = [];

    /// <summary>Gets each input's name and value.</summary>
    public IReadOnlyList<(string Name, OrtValue Value)> Inputs => _inputs;

    /// <summary>Reads a PEFT folder for a graph.</summary>
    /// <exception cref="ModelFormatException">The graph takes no adapter, or not for all that this one changes; or the adapter is damaged or of another model.</exception>
    /// <exception cref="OverflowException">A value is beyond the range of half precision, in which the graph computes.</exception>
    public static AdapterInputs Load(string folder, InferenceSession session, string modelFolder, int layerCount)
    {
        IEnumerable<GraphInput> inputs = session.OverridableInitializerMetadata.Select(
            input => new GraphInput(input.Key, (int)input.Value.ElementDataType, [.. input.Value.Dimensions]));
        using GraphAdapter adapter = GraphAdapter.Open(folder, AdapterSlot.Find(inputs, modelFolder), modelFolder, layerCount);
        AdapterInputs result = new();
        try
        {
            foreach ((AdapterMatrix matrix, byte[] bytes) in adapter.Read())
            {
                OrtValue value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, (TensorElementType)matrix.Type, [matrix.Rows, matrix.Columns]);
                result._inputs.Add((matrix.Name, value));
                bytes.CopyTo(value.GetTensorMutableRawData());
            }

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
}
